//! What is wrong with certificates now (SPEC TL1, AL1).

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::Certificates;
use crate::alarm::{Condition, catalogue};
use crate::base::time::Wall;

/// How long before its end a certificate is said to be near it.
const NEAR: Duration = Duration::from_secs(30 * 24 * 3_600);

impl Certificates {
    /// What is wrong; `enforced` says whether peers are told by certificates, so that a missing
    /// revocation list matters.
    pub fn conditions(&self, now: Wall, enforced: bool) -> Vec<Condition> {
        let status = self.status(now);
        let mut conditions = Vec::new();
        for shown in status.own.iter().chain(&status.authorities) {
            let left = shown.not_after.as_millis().saturating_sub(now.as_millis());
            let (subject, end) = (&shown.subject, shown.not_after);
            if left == 0 {
                let detail = format!("{subject} expired on {end}");
                let kind = &catalogue::CERTIFICATE_EXPIRED;
                conditions.push(kind.about(&*shown.fingerprint, detail));
            } else if u128::from(left) < NEAR.as_millis() {
                let days = left / 86_400_000;
                let detail = format!("{subject} expires in {days} days, on {end}");
                let kind = &catalogue::CERTIFICATE_NEAR_EXPIRY;
                conditions.push(kind.about(&*shown.fingerprint, detail));
            }
        }
        for list in &status.lists {
            if let Some(next) = list.next.filter(|next| *next < now) {
                let detail = format!("the list of {} is out of date since {next}", list.issuer);
                conditions.push(catalogue::REVOCATION_LIST_OLD.about(&*list.issuer, detail));
            }
        }
        for shown in status.authorities.iter().filter(|_| enforced) {
            if !status.lists.iter().any(|list| list.issuer == shown.subject) {
                let detail = format!("there is no list of {}", shown.subject);
                let kind = &catalogue::REVOCATION_LIST_MISSING;
                conditions.push(kind.about(&*shown.subject, detail));
            }
        }
        conditions
    }
}
