// The side of sharp: node peer.mjs JOB REPEATS WORKERS THREADS OUT FILE…
// With one worker every file is done REPEATS times and the least wall and processor time are told; with more, all files
// are done once by so many workers, and the whole is told. THREADS 0 leaves sharp's own choice.
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';

const [job, repeats, workers, threads, out, ...files] = process.argv.slice(2);
sharp.cache(false);
if (Number(threads) > 0) sharp.concurrency(Number(threads));

const enhance = (image) => image.modulate({ saturation: 1.2 }).sharpen({ sigma: 1 });
const jpeg = (image) => image.jpeg({ quality: 90 });
const jobs = {
  enhance: (image) => jpeg(enhance(image)),
  enhance_png: (image) => enhance(image).png({ compressionLevel: 1 }),
  webp: (image) => image.webp({ quality: 85 }),
  resize: (image) => jpeg(image.resize(1024)),
  resize_png: (image) => image.resize(1024).png({ compressionLevel: 1 }),
  resize_half: (image) => jpeg(image.resize(512)),
  jpeg,
  png: (image) => image.png(),
  trim_alpha: (image) => jpeg(image.trim().flatten({ background: '#fff' })),
  trim_corner: (image) => jpeg(image.trim()),
  avif: (image) => image.avif({ quality: 50 }),
};

const target = (file) => path.join(out, `sharp_${job}_${path.parse(file).name}`);
const run = async (file) => {
  const bytes = await jobs[job](sharp(file)).toBuffer();
  fs.writeFileSync(target(file), bytes);
  return bytes.length;
};
// Node's own figure begins with that of the process that started it.
const peak = () => Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) / 1024;
const now = () => ({ wall: performance.now(), cpu: process.cpuUsage() });
const since = (start) => {
  const cpu = process.cpuUsage(start.cpu);
  return { wall: performance.now() - start.wall, cpu: (cpu.user + cpu.system) / 1000 };
};

let wall = Infinity;
let cpu = Infinity;
let bytes = 0;
if (Number(workers) > 1) {
  const start = now();
  const queue = [...files];
  const work = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const length = await run(file);
      bytes += length;
    }
  };
  await Promise.all(Array.from({ length: Number(workers) }, work));
  ({ wall, cpu } = since(start));
} else {
  for (let n = 0; n < Number(repeats); n += 1) {
    for (const file of files) {
      const start = now();
      bytes = await run(file);
      const used = since(start);
      wall = Math.min(wall, used.wall);
      cpu = Math.min(cpu, used.cpu);
    }
  }
}
console.log(JSON.stringify({ wall, cpu, peak: peak(), bytes, floor: 0 }));
