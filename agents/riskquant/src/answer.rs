//! What may leave a tool: only numbers that JSON can hold.
//!
//! Returns of extreme size have statistics beyond the range of numbers: a ratio to a deviation that
//! underflows is infinite. Each tool refuses what it foresees; this is the last look.

use serde::Serialize;
use serde_json::Value;
use wire::Failure;

/// The answer, or a refusal when a number in it is not finite.
pub(crate) fn representable<R: Serialize>(answer: Result<R, Failure>) -> Result<R, Failure> {
    let answer = answer?;
    // What is not finite becomes null here, which no result of ours has otherwise.
    let has_null = serde_json::to_value(&answer).is_ok_and(|value| null_in(&value));
    if has_null {
        let message = "the numbers are so large or so small that a figure cannot be represented";
        return Err(Failure::refused("VALUES_OUT_OF_RANGE", message));
    }
    Ok(answer)
}

fn null_in(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(null_in),
        Value::Object(members) => members.values().any(null_in),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_a_number_beyond_json_is_refused() {
        assert_eq!(representable(Ok(vec![0.5])), Ok(vec![0.5]));
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let failure = representable(Ok([("a", vec![number])])).unwrap_err();
            assert_eq!(failure.reason(), Some("VALUES_OUT_OF_RANGE"));
        }
        let other = Failure::refused("NO_SIZE", "none");
        assert_eq!(representable::<f64>(Err(other.clone())), Err(other));
    }
}
