//! The examples and tables of `docs/PROTOCOL.md`, read with the types that they describe.

use wire::{Code, Event, Method, Presence, Request, Response, ToolInfo, schema};

const PAGE: &str = include_str!("../../../docs/PROTOCOL.md");

/// The examples that are marked as `kind`.
fn examples(kind: &str) -> Vec<&'static str> {
    let fence = format!("```json {kind}\n");
    let found: Vec<&str> =
        PAGE.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or(rest)).collect();
    assert!(!found.is_empty(), "the page has no example of a {kind}");
    found
}

#[test]
fn every_request_is_one() {
    for text in examples("request") {
        let request = Request::parse(text.as_bytes()).expect(text);
        let params = request.params.expect("its parameters are shown");
        match Method::parse(&request.method).expect(text) {
            Method::ToolExecute => {
                serde_json::from_str::<wire::ToolExecute>(params.get()).map(drop)
            }
            Method::Cancel => serde_json::from_str::<wire::Cancel>(params.get()).map(drop),
            Method::ToolsList | Method::Ping => {
                serde_json::from_str::<wire::Empty>(params.get()).map(drop)
            }
        }
        .expect(text);
    }
}

#[test]
fn every_response_is_one() {
    for text in examples("response") {
        let response = Response::parse(text.as_bytes()).expect(text);
        if let Err(failure) = response.outcome {
            let violations = failure.data["violations"].clone();
            let listed: Vec<wire::Violation> = serde_json::from_value(violations).expect(text);
            assert_eq!(wire::Failure::invalid_params(listed), failure);
        }
    }
}

#[test]
fn every_presence_event_and_tool_is_one() {
    for text in examples("presence") {
        serde_json::from_str::<Presence>(text).expect(text);
    }
    for text in examples("event") {
        serde_json::from_str::<Event>(text).expect(text);
    }
    for text in examples("tool") {
        let tool: ToolInfo = serde_json::from_str(text).expect(text);
        schema::is_plain(&tool.input_schema).expect(text);
        schema::is_plain(&tool.output_schema).expect(text);
    }
}

#[test]
fn the_table_of_failures_is_whole() {
    for code in Code::ALL {
        let row = format!("| `{}` | {} |", code.word(), code.number());
        assert!(PAGE.contains(&row), "the page has no row {row:?}");
    }
}
