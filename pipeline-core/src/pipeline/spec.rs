//! What a stage kind declares about itself, and the catalog of all kinds a program knows.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::Capability;
use crate::settings::SettingsSchema;

use super::plan::{GroupBy, Role};

/// What flows through a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// A JSON value in the stage's output fields.
    Field,
    /// A file in the stage's output files.
    File,
}

/// One named input or output of a stage kind.
#[derive(Clone, Debug, PartialEq)]
pub struct PortSpec {
    /// For example `image` or `prompt`.
    pub name: String,
    /// Field or file.
    pub kind: PortKind,
    /// Inputs: whether the stage can do without. Outputs: whether it may be absent.
    pub optional: bool,
    /// JSON Schema of a field (types conditions are checked with); `true` for anything.
    pub schema: Value,
}

impl PortSpec {
    /// A required file.
    pub fn file(name: &str) -> Self {
        Self { name: name.to_owned(), kind: PortKind::File, optional: false, schema: Value::Bool(true) }
    }

    /// A required field with this JSON Schema.
    pub fn field(name: &str, schema: Value) -> Self {
        Self { name: name.to_owned(), kind: PortKind::Field, optional: false, schema }
    }

    /// The same port, optional.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// The setting that names a stage's provider, and what the provider must be able to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSlot {
    /// The settings key, normally `provider`.
    pub setting: String,
    /// The capability asked for.
    pub capability: Capability,
}

/// What a stage kind declares about itself: the one source for validation, help and documentation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StageSpec {
    /// For example `image.generate`.
    pub kind: String,
    /// One sentence for help.
    pub summary: String,
    /// Work or check.
    pub role: Role,
    /// What it reads, by port name; each is bound to the nearest ancestor that makes it.
    pub inputs: Vec<PortSpec>,
    /// What it makes.
    pub outputs: Vec<PortSpec>,
    /// Its settings.
    pub settings: SettingsSchema,
    /// A source begins items and has no `needs`.
    pub source: bool,
    /// Outputs beyond the declared are allowed (a source's CSV columns).
    pub open_outputs: bool,
    /// The integer setting that says into how many children the stage expands its item.
    pub expands: Option<String>,
    /// Which items one call may serve together.
    pub group: Option<GroupBy>,
    /// The providers it needs.
    pub providers: Vec<ProviderSlot>,
    /// Settings keys that hold a template over the stage's inputs.
    pub templates: Vec<String>,
    /// Variables the stage itself adds to its templates.
    pub template_variables: Vec<String>,
    /// Whether all it does beside its output goes through the artifact store and the ledger. Such a stage may start
    /// before what it reads is durable: a crash repeats both. Any other one waits.
    pub self_contained: bool,
}

impl StageSpec {
    /// Starts a work stage kind without ports.
    pub fn new(kind: &str, summary: &str, settings: SettingsSchema) -> Self {
        Self {
            kind: kind.to_owned(),
            summary: summary.to_owned(),
            role: Role::Work,
            inputs: Vec::new(),
            outputs: Vec::new(),
            settings,
            source: false,
            open_outputs: false,
            expands: None,
            group: None,
            providers: Vec::new(),
            templates: Vec::new(),
            template_variables: Vec::new(),
            self_contained: false,
        }
    }

    /// Makes it a check.
    pub fn check(mut self) -> Self {
        self.role = Role::Check;
        self
    }

    /// Makes it a source.
    pub fn source(mut self) -> Self {
        self.source = true;
        self
    }

    /// Allows outputs beyond the declared.
    pub fn open_outputs(mut self) -> Self {
        self.open_outputs = true;
        self
    }

    /// Adds an input.
    pub fn input(mut self, port: PortSpec) -> Self {
        self.inputs.push(port);
        self
    }

    /// Adds an output.
    pub fn output(mut self, port: PortSpec) -> Self {
        self.outputs.push(port);
        self
    }

    /// Names the integer setting that says how many children the stage makes.
    pub fn expands(mut self, setting: &str) -> Self {
        self.expands = Some(setting.to_owned());
        self
    }

    /// Allows one call to serve several items.
    pub fn grouped(mut self, by: GroupBy) -> Self {
        self.group = Some(by);
        self
    }

    /// Adds a provider named by the setting `provider`.
    pub fn provider(mut self, capability: Capability) -> Self {
        self.providers.push(ProviderSlot { setting: "provider".to_owned(), capability });
        self
    }

    /// Says that all the stage does beside its output goes through the artifact store and the ledger.
    pub fn self_contained(mut self) -> Self {
        self.self_contained = true;
        self
    }

    /// Says that the stage's templates may use a variable that the stage itself adds.
    pub fn template_variable(mut self, name: &str) -> Self {
        self.template_variables.push(name.to_owned());
        self
    }

    /// Says that this setting holds a template.
    pub fn template(mut self, setting: &str) -> Self {
        self.templates.push(setting.to_owned());
        self
    }
}

/// Every stage kind a program knows, by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    kinds: BTreeMap<String, StageSpec>,
}

impl Catalog {
    /// Returns an empty catalog.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind; a later one replaces an earlier one of the same name.
    pub fn insert(&mut self, spec: StageSpec) {
        self.kinds.insert(spec.kind.clone(), spec);
    }

    /// Returns the kind of this name.
    pub fn get(&self, kind: &str) -> Option<&StageSpec> {
        self.kinds.get(kind)
    }

    /// Returns all kinds by name.
    pub fn iter(&self) -> impl Iterator<Item = &StageSpec> {
        self.kinds.values()
    }
}
