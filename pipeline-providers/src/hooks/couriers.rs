//! Every way a hook can lead, behind one port.

use async_trait::async_trait;
use pipeline_core::Result;
use pipeline_core::provider::{HookAnswer, HookMessage, HookSender, HookTarget};

use super::command;
use super::webhook::Webhooks;

/// Sends messages by HTTP and to programs. Cheap to make: TLS is set up with the first message that needs it.
#[derive(Debug, Default)]
pub struct HookCouriers {
    webhooks: Webhooks,
}

impl HookCouriers {
    /// Makes them.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl HookSender for HookCouriers {
    async fn check(&self, target: &HookTarget) -> Result<()> {
        match target {
            HookTarget::Webhook { url, secrets, allow_private } => {
                self.webhooks.check(url, secrets, *allow_private).await
            }
            HookTarget::Command { program, .. } => command::check(program),
        }
    }

    async fn send(&self, target: &HookTarget, message: &HookMessage) -> Result<HookAnswer> {
        match target {
            HookTarget::Webhook { url, secrets, allow_private } => {
                self.webhooks.send(url, secrets, *allow_private, message).await
            }
            HookTarget::Command { program, args } => command::send(program, args, message).await,
        }
    }
}
