//! What a server is told to do wrong.

/// A way to misbehave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Closes the connection at once. If this is a fault of all requests, they are not read, and
    /// none is recorded.
    Close,
    /// Waits for a request and closes the connection without reading it, which the client sees as
    /// a reset. Only as a fault of all requests.
    Reset,
    /// Reads, and never answers.
    Silent,
    /// Answers well, one byte in each segment.
    OneByteSegments,
    /// Answers one byte now and then, without an end.
    Drip,
    /// Answers well, and then sends so many bytes more.
    TooLong(usize),
    /// Answers this instead.
    Answer(Vec<u8>),
    /// Names another server.
    Redirect(String),
    /// Answers well and closes the connection before it has read on: the client's sending side
    /// may still be open.
    Hasty,
    /// Misbehaves so often, and then no more.
    First(usize, Box<Fault>),
}

impl Fault {
    /// The fault for the next request.
    pub(super) fn next(fault: &mut Option<Self>) -> Option<Self> {
        match fault {
            Some(Self::First(0, _)) => {
                *fault = None;
                None
            }
            Some(Self::First(count, inner)) => {
                *count -= 1;
                Some((**inner).clone())
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_first_requests_ends() {
        let mut fault = Some(Fault::First(2, Box::new(Fault::Silent)));
        assert_eq!(Fault::next(&mut fault), Some(Fault::Silent));
        assert_eq!(Fault::next(&mut fault), Some(Fault::Silent));
        assert_eq!(Fault::next(&mut fault), None);
        assert_eq!(fault, None);
        let mut always = Some(Fault::Close);
        assert_eq!(Fault::next(&mut always), Some(Fault::Close));
        assert_eq!(Fault::next(&mut always), Some(Fault::Close));
    }
}
