//! The message index: what one parse at delivery found, in a form that later readers use without the body.
