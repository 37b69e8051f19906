//! One emulated machine. Emulated in software always: a `/dev/kvm` that opens may still hang.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::image::{self, kernel_arguments, write_sparse};
use crate::lab::console::Console;
use crate::lab::switch::Socket;
use crate::tools::{Context as _, Done, fault, program, read};

/// How long anything may take that a guest does on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How the guest starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Kernel and initial file system handed over by the emulator: fastest, no boot loader.
    Direct,
    /// From the disk, by BIOS.
    Bios,
    /// From the disk, by UEFI.
    Uefi,
}

/// What a network card is plugged into.
#[derive(Debug)]
pub enum Plug {
    /// A port of a [`crate::lab::switch::Switch`].
    Switch(Socket),
    /// As [`Plug::Switch`], and on the same cable a gateway made by the emulator (10.0.2.2) that
    /// forwards ports of our loopback address to addresses of that network.
    Gateway(Socket, Vec<Forward>),
    /// Nothing.
    Open,
}

/// A port of 127.0.0.1 that leads to the emulated network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// `tcp` or `udp`.
    pub transport: &'static str,
    /// Our port.
    pub port: u16,
    /// Address and port over there.
    pub to: std::net::SocketAddrV4,
}

/// What a guest is made of.
#[derive(Debug)]
pub struct Machine {
    /// Name in transcripts; also makes its network addresses.
    pub name: String,
    /// How it starts.
    pub start: Start,
    /// Its disk, which it changes.
    pub disk: PathBuf,
    /// Network cards in order: LAN1, LAN2. The number makes their hardware addresses.
    pub number: u8,
    /// What they are plugged into.
    pub plugs: Vec<Plug>,
    /// Where transcripts go.
    pub folder: PathBuf,
    /// Where the emulator's own command line listens; the path must be short.
    pub sockets: PathBuf,
    /// More arguments for the kernel; only a direct start takes them.
    pub arguments: String,
    /// Whether KVM may be used. It must be known to work here.
    pub kvm: bool,
    /// Whether what its serial console says goes to our standard output.
    pub shown: bool,
}

/// A running machine; ended when dropped.
pub struct Guest {
    child: Child,
    name: String,
    monitor: PathBuf,
    errors: PathBuf,
    /// Its serial console.
    pub console: Console,
}

impl Machine {
    /// Switches it on.
    pub fn start(&self) -> Done<Guest> {
        let mut command = self.command()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let errors = self.folder.join(format!("{}.qemu", self.name));
        let file = File::create(&errors).context(errors.display())?;
        let mut child = command.stderr(file).spawn().context("qemu-system-x86_64")?;
        let log = self.folder.join(format!("{}.log", self.name));
        let console = match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => {
                Console::new(Box::new(input), Box::new(output), &log, self.shown)
            }
            _ => fault("the emulator has no console"),
        };
        match console {
            Ok(console) => Ok(Guest {
                child,
                name: self.name.clone(),
                monitor: self.monitor(),
                errors,
                console,
            }),
            Err(reason) => {
                let _ = child.kill();
                Err(reason)
            }
        }
    }

    fn monitor(&self) -> PathBuf {
        self.sockets.join(format!("{}.monitor", self.name))
    }

    fn command(&self) -> Done<Command> {
        let mut command = program("qemu-system-x86_64");
        let accelerator = if self.kvm { "kvm" } else { "tcg,thread=multi" };
        command
            .args([
                "-name",
                &self.name,
                "-machine",
                "q35",
                "-accel",
                accelerator,
            ])
            .args([
                "-cpu",
                "max",
                "-smp",
                "1",
                "-m",
                "384",
                "-no-user-config",
                "-nodefaults",
            ])
            .args(["-display", "none", "-vga", "std", "-no-reboot"])
            .args(["-device", "virtio-rng-pci", "-device", "i6300esb"]);
        command.args(["-chardev", "stdio,id=serial,signal=off"]);
        command.args(["-serial", "chardev:serial"]);
        let monitor = format!("unix:{},server=on,wait=off", quoted(&self.monitor()));
        command.args(["-monitor", &monitor]);
        let disk = format!(
            "file={},if=virtio,format=raw,cache=writeback",
            quoted(&self.disk)
        );
        command.args(["-drive", &disk]);
        self.firmware(&mut command)?;
        for (index, plug) in (0_u8..).zip(&self.plugs) {
            self.card(&mut command, index, plug);
        }
        Ok(command)
    }

    fn firmware(&self, command: &mut Command) -> Done {
        let files = image::files();
        match self.start {
            Start::Bios => {}
            Start::Uefi => {
                let variables = self.folder.join(format!("{}.vars", self.name));
                if !variables.exists() {
                    let fresh = read(Path::new("/usr/share/OVMF/OVMF_VARS_4M.fd"))?;
                    write_sparse(&variables, &fresh)?;
                }
                let code = "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd";
                let variables = format!("if=pflash,format=raw,file={}", quoted(&variables));
                command.args(["-drive", code, "-drive", &variables]);
            }
            Start::Direct => {
                let usual = kernel_arguments()?;
                let arguments = format!("{usual} causeway.slot=A {}", self.arguments);
                command.arg("-kernel").arg(files.vmlinux);
                command.arg("-initrd").arg(files.initrd);
                command.args(["-append", &arguments]);
            }
        }
        Ok(())
    }

    /// Adds a network card. Slots are those of the hardware profile of a virtual machine.
    fn card(&self, command: &mut Command, index: u8, plug: &Plug) {
        let cable = |socket: &Socket, id: &str| {
            format!(
                "dgram,id={id},local.type=unix,local.path={},remote.type=unix,remote.path={}",
                quoted(&socket.guest),
                quoted(&socket.switch)
            )
        };
        let card = format!("card{index}");
        match plug {
            Plug::Switch(socket) => {
                command.args(["-netdev", &cable(socket, &card)]);
            }
            Plug::Gateway(socket, forwards) => {
                let mut user = format!("user,id=user{index},restrict=off");
                for Forward {
                    transport,
                    port,
                    to,
                } in forwards
                {
                    // Writing to a string does not fail.
                    let _ = write!(
                        user,
                        ",hostfwd={transport}:127.0.0.1:{port}-{}:{}",
                        to.ip(),
                        to.port()
                    );
                }
                let hub = |port: &str, rest: &str| {
                    format!("hubport,id={port}{index},hubid={index}{rest}")
                };
                command.args(["-netdev", &user]);
                command.args(["-netdev", &cable(socket, &format!("cable{index}"))]);
                command.args(["-netdev", &hub("a", &format!(",netdev=user{index}"))]);
                command.args(["-netdev", &hub("b", &format!(",netdev=cable{index}"))]);
                command.args(["-netdev", &hub("card", "")]);
            }
            Plug::Open => {
                command.args([
                    "-netdev",
                    &format!("hubport,id={card},hubid={}", 100 + index),
                ]);
            }
        }
        let number = self.number;
        command.args([
            "-device",
            &format!(
                "virtio-net-pci,netdev={card},mac=52:54:00:ca:{number:02x}:{index:02x},\
                 addr=0x{:x},romfile=",
                0x10 + index
            ),
        ]);
    }
}

/// A path inside a comma-separated option.
fn quoted(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

impl Guest {
    /// Whether it still runs.
    pub fn is_on(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// What the emulator complained of.
    pub fn complaints(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }

    /// Waits until it has switched itself off.
    pub fn off(&mut self, within: Duration) -> Done<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return fault(format!("{} is still on after {within:?}", self.name));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Gives a command to the emulator itself, such as `system_powerdown` (the power button).
    pub fn emulator(&mut self, command: &str) -> Done {
        const PROMPT: &[u8] = b"(qemu) ";
        let mut stream = UnixStream::connect(&self.monitor).context(self.monitor.display())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let until_prompt = |stream: &mut UnixStream| -> Done {
            let (mut said, mut byte) = (Vec::new(), [0]);
            while !said.ends_with(PROMPT) {
                stream.read_exact(&mut byte).context("emulator")?;
                said.extend(byte);
            }
            Ok(())
        };
        until_prompt(&mut stream)?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        until_prompt(&mut stream)
    }

    /// Cuts the power.
    pub fn cut_power(&mut self) -> Done {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // One that is already off is no fault.
        let _ = self.cut_power();
    }
}
