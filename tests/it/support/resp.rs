//! The Redis protocol (RESP 2 and 3), as far as a proxy and a small client need it: cutting a stream into whole
//! values, and looking into the flat ones.

use bytes::{Buf, Bytes, BytesMut};

/// The longest value; a longer one is refused, for it would be a mistake of the test.
const VALUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What came is not RESP, or is longer than any test sends.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed;

/// Cuts a stream into whole values, each given on exactly as it came.
#[derive(Default)]
pub(crate) struct Values {
    buffer: BytesMut,
}

impl Values {
    /// Takes in what was read from the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole value, if all of it has come.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Malformed> {
        if self.buffer.len() > VALUE_BYTES_MAX {
            return Err(Malformed);
        }
        Ok(length(&self.buffer)?.map(|length| self.buffer.split_to(length).freeze()))
    }
}

/// The bytes that the first value of `stream` takes, if all of it is there.
fn length(stream: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut rest = stream;
    let mut missing = 1_usize;
    while missing > 0 {
        let Some(piece) = piece(&mut rest)? else { return Ok(None) };
        missing = missing - 1 + piece.children;
    }
    Ok(Some(stream.len() - rest.len()))
}

/// One line of the protocol with the text that belongs to it.
struct Piece<'a> {
    text: &'a [u8],
    is_error: bool,
    children: usize,
}

/// Takes one piece off `rest`, if all of it is there.
fn piece<'a>(rest: &mut &'a [u8]) -> Result<Option<Piece<'a>>, Malformed> {
    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
    let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
    let after = &rest[end + 1..];
    let (kind, value) = line.split_first().map_or((b'\n', line), |(&kind, value)| (kind, value));
    let (piece, after) = match kind {
        b'*' | b'>' | b'~' => (Piece { text: b"", is_error: false, children: count(value)? }, after),
        b'%' => (Piece { text: b"", is_error: false, children: count(value)? * 2 }, after),
        // An attribute stands before the value that it describes.
        b'|' => (Piece { text: b"", is_error: false, children: count(value)? * 2 + 1 }, after),
        b'$' | b'=' | b'!' if value != b"-1" => {
            let length = count(value)?;
            let Some(text) = after.get(..length + 2) else { return Ok(None) };
            (Piece { text: &text[..length], is_error: kind == b'!', children: 0 }, &after[length + 2..])
        }
        b'$' | b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {
            let text = if kind == b'$' { b"" } else { value };
            (Piece { text, is_error: kind == b'-', children: 0 }, after)
        }
        // What people type into a raw socket: a command on a line of its own.
        _ => (Piece { text: line, is_error: false, children: 0 }, after),
    };
    *rest = after;
    Ok(Some(piece))
}

/// A length or a number of children; "none" (-1) has no children.
fn count(digits: &[u8]) -> Result<usize, Malformed> {
    if digits == b"-1" {
        return Ok(0);
    }
    let number = str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Malformed)?;
    if number > VALUE_BYTES_MAX { Err(Malformed) } else { Ok(number) }
}

/// Every text in a whole value, however deep, in order. In the flat values that matter to a proxy (commands and
/// messages) these are the elements.
pub(crate) fn texts(value: &[u8]) -> Vec<&[u8]> {
    pieces(value).filter(|piece| piece.children == 0).map(|piece| piece.text).collect()
}

fn pieces(mut value: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || if value.has_remaining() { piece(&mut value).ok().flatten() } else { None })
}

/// What a person would read in a whole value: its texts, one a line. An error is told apart.
pub(crate) fn readable(value: &[u8]) -> Result<String, String> {
    let text = texts(value).iter().map(|text| String::from_utf8_lossy(text)).collect::<Vec<_>>().join("\n");
    if pieces(value).any(|piece| piece.is_error) { Err(text) } else { Ok(text) }
}

/// A command as a client sends it.
pub(crate) fn command(words: &[impl AsRef<[u8]>]) -> Bytes {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(stream: &[u8], sizes: &[usize]) -> Vec<Bytes> {
        let (mut values, mut found, mut rest) = (Values::default(), Vec::new(), stream);
        for &size in sizes.iter().chain([&usize::MAX]) {
            let (now, later) = rest.split_at(size.min(rest.len()));
            values.push(now);
            rest = later;
            while let Some(value) = values.next().expect("well-formed") {
                found.push(value);
            }
        }
        found
    }

    /// One value of every kind that Redis sends, and one command typed by hand.
    const KINDS: [&[u8]; 14] = [
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":12\r\n",
        b"$5\r\na\r\nbc\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
        b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n",
        b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n",
        b"|1\r\n+ttl\r\n:3\r\n~1\r\n#t\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"!5\r\nERR x\r\n",
        b"PING\r\n",
    ];

    #[test]
    fn every_kind_of_value_comes_out_as_it_went_in() {
        assert_eq!(cut(&KINDS.concat(), &[]), KINDS);
    }

    #[test]
    fn nothing_comes_out_before_all_of_it_came() {
        for value in KINDS {
            for length in 0..value.len() {
                assert_eq!(cut(&value[..length], &[]), Vec::<Bytes>::new(), "{:?}", value[..length].escape_ascii());
            }
        }
    }

    #[test]
    fn lengths_that_are_none_are_malformed() {
        for line in ["$x\r\n", "*99999999999999999999\r\n", "$-2\r\n", "*?\r\n", "$67108865\r\n"] {
            let mut values = Values::default();
            values.push(line.as_bytes());
            assert_eq!(values.next(), Err(Malformed), "{line:?}");
        }
    }

    #[test]
    fn a_command_is_read_back_as_its_words() {
        let words: [&[u8]; 3] = [b"SET", b"a\r\nb", b""];
        assert_eq!(texts(&command(&words)), words);
    }

    #[test]
    fn an_error_is_told_apart() {
        assert_eq!(readable(b"*2\r\n:1\r\n$2\r\nok\r\n"), Ok("1\nok".into()));
        assert_eq!(readable(b"-ERR no\r\n"), Err("ERR no".into()));
        assert_eq!(readable(b"$-1\r\n"), Ok(String::new()));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_stream_is_torn(
            order in prop::collection::vec(0..KINDS.len(), 0..12),
            sizes in prop::collection::vec(0..20_usize, 0..40),
        ) {
            let values: Vec<&[u8]> = order.iter().map(|&kind| KINDS[kind]).collect();
            prop_assert_eq!(cut(&values.concat(), &sizes), values);
        }

        #[test]
        fn any_bytes_are_cut_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut values = Values::default();
            values.push(&bytes);
            while let Ok(Some(value)) = values.next() {
                texts(&value);
            }
        }
    }
}
