//! Between the contract's generated types and the engine's own: the same shapes under the same
//! names, moved field by field. Guest and host compile this one file, so that neither can read a
//! value otherwise than the other.

mod imap;
mod imap_client;
mod pop3;
mod pop3_client;
mod relay;
mod sasl;
mod smtp;
mod smtp_client;
mod types;

/// Moves a value into its twin on the other side of the border.
pub(crate) trait Convert<T>: Sized {
    /// Moves one.
    fn convert(self) -> T;

    /// Moves a list of them; octets need not be looked at one by one.
    fn convert_list(list: Vec<Self>) -> Vec<T> {
        list.into_iter().map(Self::convert).collect()
    }
}

impl<A: Convert<B>, B> Convert<Vec<B>> for Vec<A> {
    fn convert(self) -> Vec<B> {
        A::convert_list(self)
    }
}

impl<A: Convert<B>, B> Convert<Option<B>> for Option<A> {
    fn convert(self) -> Option<B> {
        self.map(A::convert)
    }
}

/// What is the same on both sides.
macro_rules! same {
    ($($type:ty),*) => {$(
        impl Convert<$type> for $type {
            fn convert(self) -> $type {
                self
            }

            fn convert_list(list: Vec<$type>) -> Vec<$type> {
                list
            }
        }
    )*};
}

same!(bool, u8, u16, u32, u64, i8, i16, i32, String);

// Macros, since both directions of some eighty types differ in nothing but names. Every field and
// case is named on both sides, so a shape that changes on one side alone does not compile.

/// Twins of fields.
macro_rules! records {
    ($wit:ident, $engine:ident; $($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl super::Convert<$engine::$name> for $wit::$name {
            fn convert(self) -> $engine::$name {
                let Self { $($field),* } = self;
                $engine::$name { $($field: $field.convert()),* }
            }
        }

        impl super::Convert<$wit::$name> for $engine::$name {
            fn convert(self) -> $wit::$name {
                let Self { $($field),* } = self;
                $wit::$name { $($field: $field.convert()),* }
            }
        }
    )*};
}

/// Twins of cases.
macro_rules! variants {
    ($wit:ident, $engine:ident; $($name:ident { $($case:ident $(($value:ident))?),* $(,)? })*) => {$(
        impl super::Convert<$engine::$name> for $wit::$name {
            fn convert(self) -> $engine::$name {
                match self {
                    $(Self::$case $(($value))? => $engine::$name::$case $(($value.convert()))?,)*
                }
            }
        }

        impl super::Convert<$wit::$name> for $engine::$name {
            fn convert(self) -> $wit::$name {
                match self {
                    $(Self::$case $(($value))? => $wit::$name::$case $(($value.convert()))?,)*
                }
            }
        }
    )*};
}

use {records, variants};
