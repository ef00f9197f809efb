//! A file in memory that stops giving when the time is over, so that a decoder that reads from it ends.

use std::io::{BufRead, Cursor, Error, ErrorKind, Read, Result, Seek, SeekFrom};

use super::super::limits::Limits;

/// A decoder looks at the clock at least as often as it has read this many bytes.
const WINDOW: usize = 16 << 10;

/// Reads from bytes in memory, and looks at the clock now and then.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    file: Cursor<&'a [u8]>,
    limits: Limits,
    /// Bytes that may be read before the clock is looked at.
    left: usize,
}

impl<'a> Watched<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: Limits) -> Self {
        Self { file: Cursor::new(bytes), limits, left: WINDOW }
    }

    fn look(&mut self) -> Result<()> {
        if self.left == 0 {
            // The message is not seen: the decoder's caller finds the time over for itself.
            self.limits.check_time().map_err(|_| Error::new(ErrorKind::TimedOut, "the time is over"))?;
            self.left = WINDOW;
        }
        Ok(())
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.look()?;
        let most = buffer.len().min(self.left);
        let read = self.file.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left -= read;
        Ok(read)
    }
}

impl BufRead for Watched<'_> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.look()?;
        let rest = self.file.fill_buf()?;
        Ok(rest.get(..self.left).unwrap_or(rest))
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount);
        self.file.consume(amount);
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn all_bytes_come_through_and_in_windows() {
        let bytes: Vec<u8> = (0..3 * WINDOW).map(|n| n as u8).collect();
        let mut read = Vec::new();
        Watched::new(&bytes, Limits::DEFAULT).read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
        assert_eq!(Watched::new(&bytes, Limits::DEFAULT).fill_buf().unwrap().len(), WINDOW);
    }

    #[test]
    fn reading_ends_when_the_time_is_over() {
        let bytes = vec![7; 2 * WINDOW];
        let mut file = Watched::new(&bytes, Limits::DEFAULT.until(Some(Instant::now())));
        let mut read = Vec::new();
        assert_eq!(file.read_to_end(&mut read).unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(read.len(), WINDOW);
    }
}
