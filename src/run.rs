//! The gateway: one closed loop that owns the node.
//!
//! Tasks and threads turn what happens into [`Event`]s on one bounded queue; the loop alone calls
//! the engine, a bounded number of times a turn, and does each [`Action`]. It decides nothing:
//! read [`Gateway::perform`] for all that it can do.

mod ready;

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant as Clock};

use async_io::Timer;
use causeway_engine::admin::{Answer, Refusal};
use causeway_engine::base::ids::RequestId;
use causeway_engine::base::limits;
use causeway_engine::base::time::Instant;
use causeway_engine::io::{Action, Input};
use causeway_engine::net::machine::MachineReport;
use causeway_engine::node::{Boot, Node};
use ring::rand::{SecureRandom, SystemRandom};
use smol::channel::{self, Receiver, Sender};
use smol::{Executor, LocalExecutor, future};

use crate::accounts::Accounts;
use crate::arguments::RunOptions;
use crate::ask::{Asker, Question, Reply};
use crate::event::Event;
use crate::local::server::LocalServer;
use crate::logging::{self, wall};
use crate::machine::{Machine, Supervisor};
use crate::sock::Sockets;
use crate::start::{self, Parts, StartFault};
use crate::store::{Store, Writer};
use crate::{VERSION, password, signals, web};
use ready::Ready;

/// How soon to try again to send what the network did not take.
const NETWORK_RETRY: Duration = Duration::from_millis(1);

/// Stack of the thread that serves TLS, web and command lines.
const WORKER_STACK_BYTES: usize = 1024 * 1024;

/// The item that says which lines are logged.
const LOG_LEVEL_ITEM: &str = "Logging Level";

/// Runs the gateway until it is told to stop.
pub(crate) fn run(options: RunOptions) -> ExitCode {
    logging::start();
    // Keys, sockets and store are for this user alone, whatever was inherited.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    raise_file_limit();
    let signals = match signals::block() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("signals cannot be blocked: {error}")),
    };
    let parts = match start::prepare(&options, wall()) {
        Ok(parts) => parts,
        Err(StartFault::Refused(reason)) => return failed(&reason),
        Err(StartFault::WrongUse(reason)) => {
            eprintln!("causeway: {reason}");
            return ExitCode::from(2);
        }
    };
    let local = Rc::new(LocalExecutor::new());
    let worker = Arc::new(Executor::new());
    let (stop_worker, worker_stopped) = channel::bounded::<()>(1);
    let on_worker = Arc::clone(&worker);
    let thread = thread::Builder::new()
        .name("worker".into())
        .stack_size(WORKER_STACK_BYTES)
        .spawn(move || future::block_on(on_worker.run(worker_stopped.recv())));
    let thread = match thread {
        Ok(thread) => thread,
        Err(error) => return failed(&format!("no thread can be started: {error}")),
    };
    let result = async_io::block_on(local.run(async {
        let (events, reports) = channel::bounded(limits::EVENTS);
        let watch = local.spawn(signals::watch(signals, events.clone()));
        let gateway = Gateway::start(options, parts, &local, &worker, events)?;
        let result = gateway.run(reports).await;
        drop(watch);
        result
    }));
    stop_worker.close();
    if thread.join().is_err() {
        return failed("the worker thread ended by a fault");
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failed(&reason),
    }
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("causeway: {reason}");
    ExitCode::FAILURE
}

/// Twenty thousand streams need as many descriptors; more than the usual limit of a login.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        log::warn!("the limit of open files stays as it is: {error}");
    }
}

/// Everything that the loop owns.
struct Gateway {
    node: Node,
    began: Clock,
    sockets: Sockets,
    store: Writer,
    machine: Option<Machine>,
    supervisor: Option<Supervisor>,
    /// Held until the end.
    _local_server: LocalServer,
    _lock: crate::store::Lock,
    questions: Receiver<Question>,
    /// Who waits for an answer of the node.
    waiting: HashMap<RequestId, Sender<Reply>>,
    next_request: u64,
    /// Generation of the configuration that the log level was taken from.
    log_level_of: Option<u64>,
    /// What is known at once and waits to be told to the node.
    answers: VecDeque<Input>,
    ready: Ready,
}

/// Why the loop woke up.
enum Woken {
    Event(Event),
    Question(Question),
    Time,
    Gone,
}

impl Gateway {
    fn start(
        options: RunOptions,
        parts: Parts,
        local: &Rc<LocalExecutor<'static>>,
        worker: &Arc<Executor<'static>>,
        events: Sender<Event>,
    ) -> Result<Self, String> {
        let Parts {
            lock,
            credentials,
            mut store,
            faults,
            settings,
            password,
        } = parts;
        let boot = Boot {
            id: credentials.identity.id(),
            seed: seed()?,
            records: std::mem::take(&mut store.records),
            faults,
            settings,
            machine: options.machine.is_some(),
            version: VERSION,
        };
        let began = Clock::now();
        let node = Node::new(Instant::START, wall(), boot);

        let (asker, questions) = Asker::new(limits::REQUESTS);
        let store = write_on(store, events.clone())?;
        let accounts = Accounts::new(asker.clone());
        let local_server = LocalServer::start(worker, &options.data, &asker, &accounts)
            .map_err(|error| format!("the command line's sockets cannot be opened: {error}"))?;
        let (machine, supervisor) = inherited(&options, local, &events)?;
        let web = web::face(asker.clone(), accounts);
        let sockets = Sockets::new(
            Rc::clone(local),
            Arc::clone(worker),
            events.clone(),
            Arc::new(credentials),
            web,
        );
        worker
            .spawn(async move {
                let result = password::ensure(asker, password, options.appliance).await;
                let _ = events.send(Event::Started(result)).await;
            })
            .detach();
        Ok(Self {
            node,
            began,
            sockets,
            store,
            machine,
            supervisor,
            _local_server: local_server,
            _lock: lock,
            questions,
            waiting: HashMap::new(),
            next_request: 1,
            log_level_of: None,
            answers: VecDeque::new(),
            ready: Ready::default(),
        })
    }

    /// Turns until told to stop; then what was handed to the store is written.
    async fn run(mut self, events: Receiver<Event>) -> Result<(), String> {
        let mut timer = Timer::never();
        let mut armed = None;
        let stopped = loop {
            self.perform_all();
            let blocked = self.flush();
            self.ready.tell();
            match self.turn(&events) {
                Ok(0) => {}
                Ok(_) => {
                    future::yield_now().await;
                    continue;
                }
                Err(stop) => break stop,
            }
            let due = self.node.poll_timeout();
            if blocked {
                timer.set_after(NETWORK_RETRY);
                armed = None;
            } else if due != armed {
                match due {
                    Some(due) => timer.set_at(self.began + Duration::from_millis(due.as_millis())),
                    None => timer.clear(),
                }
                armed = due;
            }
            match self.wait(&events, &mut timer).await {
                Woken::Event(event) => {
                    if let Err(stop) = self.take(event) {
                        break stop;
                    }
                }
                Woken::Question(question) => self.question(question),
                Woken::Time => armed = None,
                Woken::Gone => break Ok("nothing can report any more".into()),
            }
        };
        // Whoever reports now must not wait for a loop that has ended.
        events.close();
        self.questions.close();
        self.waiting.clear();
        self.store.finish();
        stopped.map(|reason| log::info!("stopped: {reason}"))
    }

    /// Takes in what waits, up to the budget of a turn. Returns how much there was.
    fn turn(&mut self, events: &Receiver<Event>) -> Result<usize, Result<String, String>> {
        let mut taken = 0;
        while let Some(input) = self.answers.pop_front().or_else(|| self.sockets.answer()) {
            self.tell(input);
            taken += 1;
        }
        while taken < limits::EVENTS_PER_TURN
            && let Ok(event) = events.try_recv()
        {
            self.take(event)?;
            taken += 1;
        }
        while taken < limits::EVENTS_PER_TURN
            && let Ok(question) = self.questions.try_recv()
        {
            self.question(question);
            taken += 1;
        }
        if self
            .node
            .poll_timeout()
            .is_some_and(|due| due <= self.now())
        {
            self.tell(Input::Timeout);
            taken += 1;
        }
        Ok(taken)
    }

    async fn wait(&self, events: &Receiver<Event>, timer: &mut Timer) -> Woken {
        let event = async {
            match events.recv().await {
                Ok(event) => Woken::Event(event),
                Err(_) => Woken::Gone,
            }
        };
        let question = async {
            match self.questions.recv().await {
                Ok(question) => Woken::Question(question),
                // All who could ask have gone; events go on.
                Err(_) => future::pending().await,
            }
        };
        let time = async {
            timer.await;
            Woken::Time
        };
        future::or(event, future::or(question, time)).await
    }

    /// Takes in one event; the error ends the loop, with the reason.
    fn take(&mut self, event: Event) -> Result<(), Result<String, String>> {
        match event {
            Event::Input(input) => {
                if let Input::Written { .. } = input {
                    self.ready.written();
                }
                if let Some(input) = self.sockets.admit(input) {
                    self.tell(input);
                }
            }
            Event::Opened(ready) => {
                if let Some(input) = self.sockets.opened(ready) {
                    self.tell(input);
                }
            }
            Event::Ping(number) => {
                if let Some(supervisor) = &self.supervisor {
                    supervisor.pong(number);
                }
            }
            Event::Started(Ok(())) => self.ready.started(),
            Event::Started(Err(reason)) => return Err(Err(reason)),
            Event::Stop(reason) => return Err(Ok(reason)),
        }
        Ok(())
    }

    fn question(&mut self, question: Question) {
        let Question {
            actor,
            command,
            reply,
        } = question;
        let request = self.next_request();
        self.waiting.insert(request, reply);
        self.tell(Input::Command {
            request,
            actor,
            command,
        });
    }

    fn tell(&mut self, input: Input) {
        if let Input::Listening { listener, result } = &input {
            self.ready.listening(*listener, result);
        }
        self.node.handle(self.now(), wall(), input);
        self.follow_log_level();
        self.perform_all();
    }

    fn perform_all(&mut self) {
        while let Some(action) = self.node.poll_action() {
            self.perform(action);
        }
    }

    /// Does one action. This is all that the gateway can do.
    fn perform(&mut self, action: Action) {
        match action {
            Action::Listen {
                listener,
                service,
                address,
            } => {
                self.ready.listen(listener, service, address);
                self.sockets.listen(listener, service, address);
            }
            Action::Unlisten { listener } => {
                self.ready.unlisten(listener);
                self.sockets.unlisten(listener);
            }
            Action::Send {
                listener,
                to,
                bytes,
            } => self.sockets.send(listener, to, bytes),
            Action::Connect {
                stream,
                service,
                from,
                to,
            } => self.sockets.connect(stream, service, from, to),
            Action::Write { stream, bytes } => self.sockets.write(stream, bytes),
            Action::Close { stream } => self.sockets.close(stream),
            Action::Persist { batch, writes } => {
                self.ready.persist();
                if let Err(reason) = self.store.persist(batch, writes) {
                    self.ready.written();
                    let result = Err(reason);
                    self.answers.push_back(Input::Written { batch, result });
                }
            }
            Action::Answer { request, answer } => self.answer(request, answer),
            Action::Machine(request) => match &mut self.machine {
                Some(machine) => machine.ask(request),
                None => self
                    .answers
                    .push_back(Input::Machine(MachineReport::Absent)),
            },
            Action::Certify(task) => self.sockets.certify(task),
            Action::Present { held, only_tls13 } => self.sockets.present(&held, only_tls13),
            Action::Resolve {
                number,
                name,
                servers,
            } => self.sockets.resolve(number, name, servers),
            Action::Log { level, text } => log::log!(target: "causeway", level, "{text}"),
        }
    }

    fn answer(&mut self, request: RequestId, answer: Result<Answer, Refusal>) {
        if let Some(reply) = self.waiting.remove(&request) {
            // Whoever asked may have gone away.
            let _ = reply.try_send(answer);
        }
    }

    /// The level is an item like any other: it follows the configuration in effect, whoever
    /// changed it.
    fn follow_log_level(&mut self) {
        let configuration = self.node.configuration();
        let generation = Some(configuration.generation());
        if self.log_level_of != generation {
            self.log_level_of = generation;
            logging::set_level_named(configuration.tree().text(LOG_LEVEL_ITEM));
        }
    }

    fn flush(&mut self) -> bool {
        let machine = self.machine.as_mut().is_some_and(Machine::flush);
        self.sockets.flush() || machine
    }

    fn next_request(&mut self) -> RequestId {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        request
    }

    fn now(&self) -> Instant {
        let passed = self.began.elapsed().as_millis();
        Instant::from_millis(u64::try_from(passed).unwrap_or(u64::MAX))
    }
}

/// Randomness for the node.
fn seed() -> Result<[u8; 32], String> {
    let mut seed = [0; 32];
    match SystemRandom::new().fill(&mut seed) {
        Ok(()) => Ok(seed),
        Err(_) => Err("the kernel gives no randomness".into()),
    }
}

/// Starts the store's thread, which reports what was written.
fn write_on(store: Store, events: Sender<Event>) -> Result<Writer, String> {
    store
        .start(move |(batch, result)| {
            let input = Input::Written { batch, result };
            // When the loop has ended, what was written is written all the same.
            let _ = events.send_blocking(Event::Input(input));
        })
        .map_err(|error| format!("the store's thread cannot be started: {error}"))
}

/// The sockets to the machine's other roles, where there are any.
fn inherited(
    options: &RunOptions,
    local: &LocalExecutor<'static>,
    events: &Sender<Event>,
) -> Result<(Option<Machine>, Option<Supervisor>), String> {
    let fault = |error: io::Error| format!("an inherited socket is of no use: {error}");
    let machine = options
        .machine
        .map(|number| Machine::open(number, local, events.clone()).map_err(fault))
        .transpose()?;
    let supervisor = options
        .init
        .map(|number| Supervisor::open(number, local, events.clone()).map_err(fault))
        .transpose()?;
    Ok((machine, supervisor))
}

/// Writes a line to standard output at once; nobody may be there to read it.
fn say(line: &str) {
    let mut output = io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}
