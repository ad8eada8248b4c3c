//! REST from outside: every route, every refusal, and the document that describes them.

mod answers;
mod document;
mod house;
mod live;
mod refusals;
mod standing;
