//! The providers of a configuration file, bound to an engine.

use pipeline_core::settings::{Problem, Problems};
use pipeline_core::{Error, Result};
use pipeline_engine::EngineBuilder;
use pipeline_providers::config::{ProviderConfig, ProvidersConfig};
use pipeline_providers::http::HttpProvider;
use pipeline_providers::onnx::OnnxConfig;
use pipeline_providers::pool::CpuPool;

/// Binds one provider under a name.
type Bind = Box<dyn FnOnce(EngineBuilder, &str) -> EngineBuilder>;

/// The names [`crate::local_engine`] binds.
const LOCAL: [&str; 5] = ["procedural", "measures", "classical", "image", "template"];

/// Binds the providers of a configuration file, each under the name of its section. Reads their keys, and looks for the
/// files of models, which share a pool of as many threads as the machine has cores.
///
/// # Errors
/// [`Problems`]: every section that cannot be bound, and why: a name that is a local provider's, a wrong value, a key
/// that is not where the reference says, a model whose file is not there or that this build cannot run.
pub fn bind(builder: EngineBuilder, config: &ProvidersConfig) -> Result<EngineBuilder, Problems> {
    bind_with(builder, config, true)
}

/// Binds them without their keys and files: for a program that submits jobs and leaves the work to others. No call of a
/// vendor is made.
///
/// # Errors
/// As [`bind`], but for the keys and files.
pub fn describe(builder: EngineBuilder, config: &ProvidersConfig) -> Result<EngineBuilder, Problems> {
    bind_with(builder, config, false)
}

fn bind_with(mut builder: EngineBuilder, config: &ProvidersConfig, work: bool) -> Result<EngineBuilder, Problems> {
    let http = if work { HttpProvider::from_config } else { HttpProvider::describe };
    let pool = CpuPool::default();
    let mut problems = Vec::new();
    for (name, config) in &config.providers {
        let wrong = |message: String| Problem::new(format!("providers.{name}"), message);
        if LOCAL.contains(&name.as_str()) {
            problems.push(wrong("a local provider has this name".to_owned()).hint("choose another one"));
            continue;
        }
        let bound = match config {
            ProviderConfig::Http(config) => http(name, config.clone())
                .map(|http| -> Bind { Box::new(|builder, name| builder.provider(name, http)) }),
            ProviderConfig::Onnx(config) => onnx(name, config, pool.clone(), work),
            _ => Err(Error::invalid("this version knows no provider of this kind")),
        };
        match bound {
            Ok(bind) => builder = bind(builder, name),
            Err(error) => problems.push(wrong(pipeline_core::error::chain(&error))),
        }
    }
    if problems.is_empty() { Ok(builder) } else { Err(Problems(problems)) }
}

#[cfg(feature = "onnx")]
fn onnx(name: &str, config: &OnnxConfig, pool: CpuPool, work: bool) -> Result<Bind> {
    use pipeline_providers::onnx::OnnxProvider;
    let make = if work { OnnxProvider::from_config } else { OnnxProvider::describe };
    Ok(match make(name, config.clone(), pool)? {
        OnnxProvider::Remover(remover) => Box::new(|builder, name| builder.provider(name, remover)),
        OnnxProvider::Tagger(tagger) => Box::new(|builder, name| builder.provider(name, tagger)),
    })
}

#[cfg(not(feature = "onnx"))]
fn onnx(_: &str, _: &OnnxConfig, _: CpuPool, _: bool) -> Result<Bind> {
    Err(Error::new(pipeline_core::ErrorKind::Unsupported, "this build cannot run models")
        .with("kind", "onnx")
        .with("accepted", "a build with the cargo feature `onnx`"))
}
