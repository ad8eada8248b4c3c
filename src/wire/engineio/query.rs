//! The query of an Engine.IO request, and how a bad one is refused.

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP requests that wait.
    Polling,
    /// A WebSocket.
    WebSocket,
}

/// What the query says. The first of several equal names counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// The version of the protocol is ours, 4.
    pub is_version_4: bool,
    /// How packets are to travel.
    pub transport: Transport,
    /// The session, as it stands there; `None` asks for a new one.
    pub sid: Option<&'a str>,
}

/// The protocol's own refusals. Each is answered with `{"code":…,"message":…}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Neither `polling` nor `websocket`.
    #[error("Transport unknown")]
    UnknownTransport = 0,
    /// No such session, or no longer.
    #[error("Session ID unknown")]
    UnknownSid = 1,
    /// A session is asked for with GET.
    #[error("Bad handshake method")]
    BadMethod = 2,
    /// Anything else that does not fit together.
    #[error("Bad request")]
    BadRequest = 3,
    /// This page, or this many, may not connect.
    #[error("Forbidden")]
    Forbidden = 4,
    /// Not version 4.
    #[error("Unsupported protocol version")]
    UnsupportedVersion = 5,
}

impl Refused {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            _ => 400,
        }
    }

    /// The body, JSON.
    #[must_use]
    pub fn body(self) -> String {
        format!(r#"{{"code":{},"message":"{self}"}}"#, self as u8)
    }
}

impl<'a> Query<'a> {
    /// Reads a query string, without its question mark. What it does not know (`t`, and whatever the application adds)
    /// it passes over.
    ///
    /// # Errors
    /// If the transport is missing or unknown, or the client asks for JSONP (`j`), which is not offered.
    pub fn parse(query: &'a str) -> Result<Self, Refused> {
        let transport = match value(query, "transport") {
            Some("polling") => Transport::Polling,
            Some("websocket") => Transport::WebSocket,
            _ => return Err(Refused::UnknownTransport),
        };
        if value(query, "j").is_some() {
            return Err(Refused::BadRequest);
        }
        Ok(Self { is_version_4: value(query, "EIO") == Some("4"), transport, sid: value(query, "sid") })
    }
}

/// The first value of `name`. None of the names and values that count here is ever percent-encoded.
fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| match pair.split_once('=') {
        Some((key, value)) => (key == name).then_some(value),
        None => (pair == name).then_some(""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_in_any_order_and_with_strangers_in_it() {
        let polling = Query { is_version_4: true, transport: Transport::Polling, sid: None };
        assert_eq!(Query::parse("EIO=4&transport=polling"), Ok(polling));
        assert_eq!(Query::parse("t=abc&transport=polling&token=x%3D&EIO=4&&=&b64=1"), Ok(polling));
        let websocket = Query { is_version_4: true, transport: Transport::WebSocket, sid: Some("x") };
        assert_eq!(Query::parse("sid=x&EIO=4&transport=websocket&sid=y"), Ok(websocket));
        assert_eq!(Query::parse("transport=polling&EIO=3"), Ok(Query { is_version_4: false, ..polling }));
        assert_eq!(Query::parse("transport=polling&sid"), Ok(Query { is_version_4: false, sid: Some(""), ..polling }));
    }

    #[test]
    fn a_query_that_does_not_fit_is_refused_as_the_protocol_says() {
        for query in [
            "",
            "EIO=4",
            "EIO=4&transport=",
            "transport",
            "EIO=4&transport=abc",
            "transport=webtransport",
            "Transport=polling",
        ] {
            assert_eq!(Query::parse(query), Err(Refused::UnknownTransport), "{query}");
        }
        assert_eq!(Query::parse("EIO=4&transport=polling&j=0"), Err(Refused::BadRequest));
        assert_eq!(Refused::UnknownTransport.body(), r#"{"code":0,"message":"Transport unknown"}"#);
        assert_eq!(Refused::UnsupportedVersion.body(), r#"{"code":5,"message":"Unsupported protocol version"}"#);
        assert_eq!((Refused::Forbidden.status(), Refused::UnknownSid.status()), (403, 400));
    }
}
