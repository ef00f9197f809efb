// The queues that `bench-queue` measures beside this one: N items that do nothing, enqueued in bulk and then drained.
// Usage: node peers.mjs N [postgres://… [PEER]]. Redis is started here, on a free port, when `redis-server` is on the path.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const items = Number(process.argv[2] ?? 10000);
const database = process.argv[3] || undefined;
const only = process.argv[4];
const limitSeconds = 120;

const row = (name, durable, enqueue, process_) =>
  console.log(
    name.padEnd(28),
    durable.padEnd(36),
    Math.round((items / enqueue) * 1000).toString().padStart(12),
    Math.round((items / process_) * 1000).toString().padStart(12),
  );

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

async function withRedis(fsync, work) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-redis-'));
  const port = await freePort();
  const options = ['--port', port, '--dir', folder, '--appendonly', 'yes', '--appendfsync', fsync, '--save', ''];
  const server = spawn('redis-server', options.map(String), { stdio: 'ignore' });
  const started = new Promise((resolve, reject) => {
    server.once('error', reject);
    setTimeout(resolve, 500);
  });
  try {
    await started;
    await work({ host: '127.0.0.1', port, maxRetriesPerRequest: null });
  } finally {
    server.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function bullmq(fsync, durable) {
  const { Queue, Worker } = await import('bullmq');
  await withRedis(fsync, async (connection) => {
    const queue = new Queue('noop', { connection });
    const start = performance.now();
    for (let first = 0; first < items; first += 1000) {
      const count = Math.min(1000, items - first);
      await queue.addBulk(Array.from({ length: count }, (_, n) => ({ name: 'noop', data: { n: first + n } })));
    }
    const enqueued = performance.now() - start;
    let done = 0;
    const drained = performance.now();
    await new Promise((resolve) => {
      const worker = new Worker('noop', async () => {}, { connection, concurrency: 50 });
      worker.on('completed', () => ++done === items && resolve(worker.close()));
    });
    row(`BullMQ, Redis ${fsync}`, durable, enqueued, performance.now() - drained);
    await queue.close();
  });
}

async function graphile(batched) {
  const { makeWorkerUtils, run, Logger } = await import('graphile-worker');
  const logger = new Logger(() => () => {});
  const utils = await makeWorkerUtils({ connectionString: database, logger });
  await utils.migrate();
  const start = performance.now();
  await utils.withPgClient((client) =>
    client.query(
      `select graphile_worker.add_jobs(array(
         select json_populate_record(null::graphile_worker.job_spec, json_build_object('identifier', 'noop', 'payload', json_build_object('n', n)))
         from generate_series(1, $1) n))`,
      [items],
    ),
  );
  const enqueued = performance.now() - start;
  const drained = performance.now();
  let done = 0;
  const batches = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
  let ended, broke;
  const everyOne = new Promise((resolve, reject) => ([ended, broke] = [resolve, reject]));
  const runner = await run({
    connectionString: database,
    logger,
    concurrency: 50,
    pollInterval: 100,
    preset: batched ? { worker: batches } : {},
    taskList: { noop: async () => void (++done === items && ended()) },
  });
  runner.promise.catch(broke);
  await everyOne;
  // A task ends before its completion is written.
  const left = () => utils.withPgClient((client) => client.query('select count(*)::int as jobs from graphile_worker.jobs'));
  while ((await left()).rows[0].jobs > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  const took = performance.now() - drained;
  row(`graphile-worker${batched ? ', batched' : ''}`, 'survives power failure (fsync)', enqueued, took);
  await runner.stop();
  await utils.release();
}

async function pgboss() {
  const { default: PgBoss } = await import('pg-boss');
  const boss = new PgBoss(database);
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue('noop');
  const start = performance.now();
  for (let first = 0; first < items; first += 1000) {
    const count = Math.min(1000, items - first);
    await boss.insert(Array.from({ length: count }, (_, n) => ({ name: 'noop', data: { n: first + n } })));
  }
  const enqueued = performance.now() - start;
  const drained = performance.now();
  for (let done = 0; done < items; ) {
    const jobs = await boss.fetch('noop', { batchSize: 100 });
    await boss.complete('noop', jobs.map((job) => job.id));
    done += jobs.length;
  }
  row('pg-boss, batches of 100', 'survives power failure (fsync)', enqueued, performance.now() - drained);
  await boss.stop({ graceful: false });
}

const peers = {
  'bullmq-everysec': () => bullmq('everysec', 'loses up to a second with the power'),
  'bullmq-always': () => bullmq('always', 'survives power failure (fsync)'),
};
if (database) Object.assign(peers, { graphile: () => graphile(false), 'graphile-batched': () => graphile(true), 'pg-boss': pgboss });

// Each in a process group of its own, so that one that hangs neither hides nor disturbs the next.
const apart = (name) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [process.argv[1], String(items), database ?? '', name], { stdio: 'inherit', detached: true });
    const limit = setTimeout(() => {
      console.error(`peer ${name}: not done after ${limitSeconds} s`);
      process.kill(-child.pid, 'SIGKILL');
    }, limitSeconds * 1000);
    child.once('exit', () => resolve(clearTimeout(limit)));
  });

if (only) {
  await peers[only]().catch((error) => console.error(`peer ${only}: ${error.message}`));
  process.exit(0);
}
for (const name of Object.keys(peers)) await apart(name);
