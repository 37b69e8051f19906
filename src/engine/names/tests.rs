//! Names through good and bad times of a name server.

use super::*;

const NAME: &str = "peer1.example.net";

fn resolver() -> Resolver {
    let mut resolver = Resolver::default();
    resolver.want(Instant::START, &BTreeSet::from([NAME.into()]));
    resolver
}

#[test]
fn an_answer_is_asked_for_again_when_it_is_old_and_used_until_there_is_a_better_one() {
    let mut resolver = resolver();
    let query = resolver.poll_query().expect("a question");
    assert_eq!((query.name.as_str(), resolver.poll_query()), (NAME, None));
    let address = IpAddr::from([10, 0, 0, 1]);
    let answer = (alloc::vec![address], Duration::from_secs(20));
    assert!(resolver.answered(Instant::START, query.number, Ok(answer.clone())));
    assert_eq!(resolver.names()[NAME], [address]);

    let later = Instant::START + Duration::from_secs(20);
    assert_eq!(resolver.poll_timeout(), Some(later));
    resolver.handle_timeout(later);
    let query = resolver.poll_query().expect("asked again");
    assert!(
        !resolver.answered(later, query.number - 1, Ok(answer)),
        "an old one"
    );
    assert!(!resolver.answered(later, query.number, Err("no answer".into())));
    assert_eq!(resolver.fault(NAME), Some("no answer"));
    assert_eq!(resolver.names()[NAME], [address]);
    assert_eq!(resolver.poll_timeout(), Some(later + AGAIN));
}

#[test]
fn a_question_that_is_lost_is_asked_again_and_an_unwanted_name_forgotten() {
    let mut resolver = resolver();
    assert!(resolver.poll_query().is_some());
    let later = Instant::START + PATIENCE;
    resolver.handle_timeout(later);
    let query = resolver.poll_query().expect("asked again");
    resolver.want(later, &BTreeSet::new());
    let answer = (alloc::vec![IpAddr::from([10, 0, 0, 1])], Duration::ZERO);
    assert!(!resolver.answered(later, query.number, Ok(answer)));
    assert_eq!(resolver.poll_timeout(), None);
}
