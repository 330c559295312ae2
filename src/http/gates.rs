//! What the API asks of the engine.

use crate::engine::AccountView;
use crate::engine::Attest;
use crate::engine::Changes;
use crate::engine::Handle;
use crate::engine::Listed;
use crate::engine::Open;
use crate::engine::Published;
use crate::engine::Readiness;
use crate::engine::Refusal;
use crate::engine::Shelf;
use crate::engine::Word;
use crate::rules::RulesName;
use crate::rules::SloName;
use crate::wave::WaveId;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;

/// The engine's front door, as [`Handle`] has it.
pub trait Gates: Clone + Send + Sync + 'static {
    /// See [`Handle::open`].
    fn open(&self, open: Open) -> impl Future<Output = Result<Arc<Published>, Refusal>> + Send;

    /// See [`Handle::word`].
    fn word(
        &self,
        wave: &WaveId,
        rules: Option<&RulesName>,
        word: Word,
    ) -> impl Future<Output = Result<Arc<Published>, Refusal>> + Send;

    /// See [`Handle::attest`].
    fn attest(
        &self,
        wave: &WaveId,
        rules: Option<&RulesName>,
        attest: Attest,
    ) -> impl Future<Output = Result<Arc<Published>, Refusal>> + Send;

    /// See [`Handle::watch`].
    fn watch(
        &self,
        wave: &WaveId,
        rules: Option<&RulesName>,
    ) -> impl Future<Output = Result<watch::Receiver<Arc<Published>>, Refusal>> + Send;

    /// See [`Handle::archived`].
    fn archived(
        &self,
        wave: &WaveId,
        rules: &RulesName,
        attempt: u32,
        revision: Option<u32>,
    ) -> impl Future<Output = Result<Option<String>, Refusal>> + Send;

    /// See [`Handle::recording`].
    fn recording(&self, wave: &WaveId, rules: &RulesName) -> impl Future<Output = Result<Vec<u8>, Refusal>> + Send;

    /// See [`Handle::waves`].
    fn waves(&self) -> Vec<Listed>;

    /// See [`Handle::changes`].
    fn changes(&self) -> Arc<Changes>;

    /// See [`Handle::rules`].
    fn rules(&self) -> Arc<Shelf>;

    /// See [`Handle::accounts`].
    fn accounts(&self) -> Vec<Arc<AccountView>>;

    /// See [`Handle::account`].
    fn account(&self, name: &SloName) -> Option<Arc<AccountView>>;

    /// See [`Handle::readiness`].
    fn readiness(&self) -> Readiness;
}

impl Gates for Handle {
    async fn open(&self, open: Open) -> Result<Arc<Published>, Refusal> {
        Self::open(self, open).await
    }

    async fn word(&self, wave: &WaveId, rules: Option<&RulesName>, word: Word) -> Result<Arc<Published>, Refusal> {
        Self::word(self, wave, rules, word).await
    }

    async fn attest(
        &self,
        wave: &WaveId,
        rules: Option<&RulesName>,
        attest: Attest,
    ) -> Result<Arc<Published>, Refusal> {
        Self::attest(self, wave, rules, attest).await
    }

    async fn watch(
        &self,
        wave: &WaveId,
        rules: Option<&RulesName>,
    ) -> Result<watch::Receiver<Arc<Published>>, Refusal> {
        Self::watch(self, wave, rules).await
    }

    async fn archived(
        &self,
        wave: &WaveId,
        rules: &RulesName,
        attempt: u32,
        revision: Option<u32>,
    ) -> Result<Option<String>, Refusal> {
        Self::archived(self, wave, rules, attempt, revision).await
    }

    async fn recording(&self, wave: &WaveId, rules: &RulesName) -> Result<Vec<u8>, Refusal> {
        Self::recording(self, wave, rules).await
    }

    fn waves(&self) -> Vec<Listed> {
        Self::waves(self)
    }

    fn changes(&self) -> Arc<Changes> {
        Self::changes(self)
    }

    fn rules(&self) -> Arc<Shelf> {
        Self::rules(self)
    }

    fn accounts(&self) -> Vec<Arc<AccountView>> {
        Self::accounts(self)
    }

    fn account(&self, name: &SloName) -> Option<Arc<AccountView>> {
        Self::account(self, name)
    }

    fn readiness(&self) -> Readiness {
        Self::readiness(self)
    }
}
