//! The house rules, as tests: see `tests/tidy`. A message of theirs names the remedy.
