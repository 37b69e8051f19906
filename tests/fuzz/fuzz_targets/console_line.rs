//! Any line that an administrator may type: an answer or a refusal, never a panic.
#![no_main]

use core::time::Duration;

use causeway_engine::admin::line::{complete, parse, parse_settings};
use causeway_engine::admin::status::{LicenceStatus, Status, SystemStatus};
use causeway_engine::base::ids::PeerId;
use causeway_engine::base::time::Wall;
use causeway_engine::certificate::status::CertificateStatus;
use causeway_engine::cluster::status::ClusterStatus;
use causeway_engine::operation::status::OperationStatus;
use causeway_engine::sip::status::SipStatus;
use libfuzzer_sys::fuzz_target;

fn status() -> Status {
    Status {
        system: SystemStatus {
            name: "fuzz".into(),
            version: "0".into(),
            id: PeerId([1; 32]),
            uptime: Duration::from_secs(1),
            time: Wall::default(),
            set_up: true,
        },
        lans: Vec::new(),
        listeners: Vec::new(),
        cluster: ClusterStatus::default(),
        certificates: CertificateStatus::default(),
        sip: SipStatus::default(),
        registrations: Vec::new(),
        calls: Vec::new(),
        drains: Vec::new(),
        licences: LicenceStatus::default(),
        alarms: Vec::new(),
        operation: OperationStatus::default(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let line = String::from_utf8_lossy(bytes);
    let _ = parse(&line);
    let _ = parse_settings(&line);
    let _ = complete(&line, status);
});
