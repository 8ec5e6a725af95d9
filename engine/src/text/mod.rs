//! Text on the wire: base64, quoted-printable, charsets, encoded words, numbers, dates.
