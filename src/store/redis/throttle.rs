//! Failure counters in Redis. All share one hash tag, because an attempt takes several at once; each is followed by a
//! password hash, so one node of a Cluster carries them easily.

use ::redis::cmd;
use async_trait::async_trait;

use crate::model::time::Timestamp;
use crate::store::Result;
use crate::store::redis::link::Twice;
use crate::store::redis::{MARGIN, Redis, corrupt};
use crate::store::throttle::{Admission, Throttle, ThrottleRule};

#[async_trait]
impl Throttle for Redis {
    async fn attempt(&self, keys: &[(String, ThrottleRule)], now: Timestamp) -> Result<Admission> {
        let mut script = self.scripts.attempt.prepare_invoke();
        script.arg(now.as_millis());
        for (key, rule) in keys {
            script
                .key(throttle_key(key))
                .arg(rule.free)
                .arg(rule.first_wait.as_millis())
                .arg(rule.longest.as_millis())
                .arg(rule.window.as_millis())
                .arg(MARGIN.as_millis());
        }
        // Counted twice it is one failure too many, which is better than no sign-in after Redis restarted.
        let until: String = self.link.script(&script, Twice::Harmless).await?;
        match until.parse() {
            Ok(0) => Ok(Admission::Allowed),
            Ok(until) => Ok(Admission::Wait { until: Timestamp::from_millis(until) }),
            Err(error) => Err(corrupt("a failure counter", error)),
        }
    }

    async fn succeeded(&self, keys: &[String]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut command = cmd("DEL");
        for key in keys {
            command.arg(throttle_key(key));
        }
        self.link.command::<i64>(&command).await.map(drop)
    }

    async fn forgive(&self, keys: &[String]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut script = self.scripts.forgive.prepare_invoke();
        for key in keys {
            script.key(throttle_key(key));
        }
        // Taken back twice it is one failure too few, once, after Redis restarted.
        self.link.script::<i64>(&script, Twice::Harmless).await.map(drop)
    }
}

fn throttle_key(key: &str) -> String {
    format!("linkspan:{{throttle}}:{key}")
}
