//! The pipelines that come with the engine; each is only a pipeline file.

/// A pipeline that comes with the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Its definition, TOML.
    pub definition: &'static str,
}

/// Every preset.
pub const ALL: &[Preset] = &[
    Preset { name: "factory", definition: include_str!("presets/factory.toml") },
    Preset { name: "enhance", definition: include_str!("presets/enhance.toml") },
];

/// Returns the preset of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    ALL.iter().find(|preset| preset.name == name)
}
