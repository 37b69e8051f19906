//! The administrator's password at start: the one given, or a new one at the very first.

use causeway_engine::admin::{Actor, Answer, Command, Refusal};

use crate::accounts::{self, PASSWORD_ITEM};
use crate::ask::Asker;

/// Saves `given`; without it, on an ordinary host that has none yet, makes one and prints it.
///
/// The appliance asks for it in the set-up wizard instead (SPEC AP6).
pub(crate) async fn ensure(
    asker: Asker,
    given: Option<String>,
    appliance: bool,
) -> Result<(), String> {
    let given_by_hand = given.is_some();
    let password = match given {
        Some(password) => password,
        None if appliance => return Ok(()),
        None => match asker
            .ask(actor(), Command::Value(PASSWORD_ITEM.into()))
            .await
        {
            Ok(Answer::Value(hash) | Answer::Text(hash)) if hash.is_empty() => {
                accounts::make_password().ok_or("the kernel gives no randomness")?
            }
            Ok(_) => return Ok(()),
            Err(refusal) => return Err(told(&refusal)),
        },
    };
    let clear = password.clone();
    let hash = smol::unblock(move || accounts::hash(&clear)).await?;
    let change = Command::Set(vec![(PASSWORD_ITEM.into(), hash)]);
    match asker.ask(actor(), change).await {
        Ok(_) if given_by_hand => Ok(()),
        Ok(_) => {
            println!("password of {}: {password}", accounts::ADMINISTRATOR);
            Ok(())
        }
        Err(refusal) if given_by_hand && !is_subordinate(&asker).await => Err(told(&refusal)),
        Err(refusal) => {
            // A subordinate gets the password from its primary.
            log::warn!(
                "the administrator's password is not set here: {}",
                told(&refusal)
            );
            Ok(())
        }
    }
}

async fn is_subordinate(asker: &Asker) -> bool {
    match asker.ask(actor(), Command::Status).await {
        Ok(Answer::Status(status)) => {
            let cluster = status.cluster;
            cluster.own.is_some() && cluster.own != cluster.primary
        }
        Ok(_) | Err(_) => false,
    }
}

fn actor() -> Actor {
    Actor {
        name: "system".into(),
        address: None,
        face: "start",
    }
}

fn told(refusal: &Refusal) -> String {
    refusal.reasons.join("; ")
}
