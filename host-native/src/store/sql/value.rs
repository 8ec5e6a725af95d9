//! Values between us and a database: what is bound to a statement and what a column holds. Numbers have 64 bits there.

use std::error::Error as AnyError;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

/// What PostgreSQL is given.
#[derive(Debug)]
pub(in super::super) enum Value<'v> {
    Null,
    Number(i64),
    /// A number that no column holds.
    TooLarge,
    Octets(&'v [u8]),
    Text(&'v str),
}

/// What a column of PostgreSQL holds.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Cell<'c> {
    Null,
    Number(i64),
    Octets(&'c [u8]),
    Text(&'c str),
}

/// What can be bound.
pub(in super::super) trait Param: rusqlite::ToSql {
    fn value(&self) -> Value<'_>;
}

/// All that is bound to a statement.
pub(in super::super) trait Params: rusqlite::Params {
    fn values(&self) -> Vec<Value<'_>>;
}

/// What a column can be read as.
pub(in super::super) trait FromCell: rusqlite::types::FromSql {
    fn from_cell(cell: Cell<'_>) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Param for $number {
            fn value(&self) -> Value<'_> {
                i64::try_from(*self).map_or(Value::TooLarge, Value::Number)
            }
        }
        impl FromCell for $number {
            fn from_cell(cell: Cell<'_>) -> Option<Self> {
                match cell {
                    Cell::Number(number) => Self::try_from(number).ok(),
                    _ => None,
                }
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64);

impl Param for bool {
    fn value(&self) -> Value<'_> {
        Value::Number(i64::from(*self))
    }
}

impl FromCell for bool {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Number(number) => Some(number != 0),
            _ => None,
        }
    }
}

impl Param for [u8] {
    fn value(&self) -> Value<'_> {
        Value::Octets(self)
    }
}

impl Param for Vec<u8> {
    fn value(&self) -> Value<'_> {
        Value::Octets(self)
    }
}

impl<const N: usize> Param for [u8; N] {
    fn value(&self) -> Value<'_> {
        Value::Octets(self)
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Octets(octets) => Some(octets.to_vec()),
            _ => None,
        }
    }
}

impl<const N: usize> FromCell for [u8; N] {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Octets(octets) => octets.try_into().ok(),
            _ => None,
        }
    }
}

impl Param for str {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Param for String {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl FromCell for String {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl<T: Param> Param for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Param::value)
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

impl<T: Param + ?Sized> Param for &T {
    fn value(&self) -> Value<'_> {
        (**self).value()
    }
}

impl Params for () {
    fn values(&self) -> Vec<Value<'_>> {
        Vec::new()
    }
}

impl<T: Param, const N: usize> Params for [T; N]
where
    [T; N]: rusqlite::Params,
{
    fn values(&self) -> Vec<Value<'_>> {
        self.iter().map(Param::value).collect()
    }
}

macro_rules! tuples {
    ($($($name:ident $at:tt),+;)*) => {$(
        impl<$($name: Param),+> Params for ($($name,)+) {
            fn values(&self) -> Vec<Value<'_>> {
                vec![$(self.$at.value()),+]
            }
        }
    )*};
}

tuples! {
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10;
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn AnyError + Sync + Send>> {
        match (self, ty) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (Value::Number(number), &Type::INT8) => number.to_sql(ty, out)?,
            (Value::Number(number), &Type::INT4) => i32::try_from(*number)?.to_sql(ty, out)?,
            (Value::Number(number), &Type::INT2) => i16::try_from(*number)?.to_sql(ty, out)?,
            (Value::Octets(octets), &Type::BYTEA) => octets.to_sql(ty, out)?,
            (Value::Text(text), &Type::TEXT) => text.to_sql(ty, out)?,
            (value, ty) => return Err(format!("{value:?} is no {ty}").into()),
        };
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

impl<'c> FromSql<'c> for Cell<'c> {
    fn from_sql(ty: &Type, raw: &'c [u8]) -> Result<Self, Box<dyn AnyError + Sync + Send>> {
        Ok(match *ty {
            Type::INT8 => Self::Number(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Number(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Self::Number(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Self::Number(bool::from_sql(ty, raw)?.into()),
            Type::BYTEA => Self::Octets(raw),
            Type::TEXT => Self::Text(std::str::from_utf8(raw)?),
            _ => return Err(format!("a column of {ty}").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn AnyError + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
