//! A reader of pickles of any protocol: plain values, dates and times. Nothing is called but the closed list of
//! `pickle_calls`, and none of that does anything.

use std::collections::HashMap;

use crate::pickle_calls::PlainType;
use crate::pickle_input::{PickleInput, signed, unescaped};
use crate::unreadable::UnreadableValue;
use crate::value_arena::{MAX_PARTS, PythonValue, TOO_MANY_PARTS, ValueArena, ValueId};

/// Bytes of a pickle.
pub const MAX_PICKLE_BYTES: usize = 64 << 20;
/// Operations of a pickle.
const MAX_OPERATIONS: u64 = 20_000_000;

const NO_PLAIN_VALUE: UnreadableValue = UnreadableValue::new("no plain value");
const MARK: UnreadableValue = UnreadableValue::new("no pickle (mark)");

/// Reads the value of a pickle: `str`, `bytes`, `int`, `float`, `bool`, `None`, `list`, `tuple`, `dict`, `date`,
/// `datetime`, `timedelta`.
///
/// # Errors
/// It is of another type, or the data is no pickle.
pub fn read_pickle(data: &[u8], arena: &mut ValueArena) -> Result<ValueId, UnreadableValue> {
    if data.len() > MAX_PICKLE_BYTES {
        return Err(UnreadableValue::new("too large"));
    }
    let mut machine = PickleMachine { arena, stack: Vec::new(), memo: HashMap::new(), made_bytes: 0 };
    let mut input = PickleInput(data);
    for _ in 0..MAX_OPERATIONS {
        let operation = input.byte()?;
        if operation == b'.' {
            return machine.finish();
        }
        machine.step(operation, &mut input)?;
    }
    Err(TOO_MANY_PARTS)
}

/// A place of the stack.
#[derive(Debug, Clone, Copy)]
enum StackItem {
    Mark,
    Value(ValueId),
    Type(PlainType),
}

struct PickleMachine<'a> {
    arena: &'a mut ValueArena,
    stack: Vec<StackItem>,
    memo: HashMap<u64, StackItem>,
    /// Bytes made by calls, which a short pickle can repeat.
    made_bytes: usize,
}

impl PickleMachine<'_> {
    fn finish(self) -> Result<ValueId, UnreadableValue> {
        let [StackItem::Value(id)] = self.stack[..] else { return Err(NO_PLAIN_VALUE) };
        self.arena.check_extent(id)?;
        Ok(id)
    }

    fn step(&mut self, operation: u8, input: &mut PickleInput<'_>) -> Result<(), UnreadableValue> {
        self.arena.check_size()?;
        if self.stack.len().max(self.memo.len()) as u64 > MAX_PARTS {
            return Err(TOO_MANY_PARTS);
        }
        if let Some(value) = read_scalar(operation, input)? {
            self.push(value);
            return Ok(());
        }
        match operation {
            0x80 => drop(input.take(1)?),
            0x95 => drop(input.take(8)?),
            b'(' => self.stack.push(StackItem::Mark),
            b't' => {
                let items = self.items_to_mark()?;
                self.push(PythonValue::Tuple(items));
            }
            0x85..=0x87 => {
                let items = self.pop_values(usize::from(operation - 0x84))?;
                self.push(PythonValue::Tuple(items));
            }
            b'l' => {
                let items = self.items_to_mark()?;
                self.push(PythonValue::List(items));
            }
            b'd' => {
                let items = self.items_to_mark()?;
                self.push(PythonValue::Dict(Vec::new()));
                self.update(&items)?;
            }
            b'a' => {
                let items = self.pop_values(1)?;
                self.extend(items)?;
            }
            b'e' => {
                let items = self.items_to_mark()?;
                self.extend(items)?;
            }
            b's' => {
                let items = self.pop_values(2)?;
                self.update(&items)?;
            }
            b'u' => {
                let items = self.items_to_mark()?;
                self.update(&items)?;
            }
            _ => return self.step_on_stack(operation, input),
        }
        Ok(())
    }

    /// Operations on the stack and on what is remembered.
    fn step_on_stack(&mut self, operation: u8, input: &mut PickleInput<'_>) -> Result<(), UnreadableValue> {
        match operation {
            b'c' => {
                let (module, name) = (input.word()?, input.word()?);
                self.stack.push(StackItem::Type(PlainType::find(module, name)?));
            }
            0x93 => {
                let names = self.pop_values(2)?;
                let (PythonValue::Text(module), PythonValue::Text(name)) =
                    (self.arena.get(names[0]), self.arena.get(names[1]))
                else {
                    return Err(UnreadableValue::new("no pickle (name)"));
                };
                let found = PlainType::find(module, name)?;
                self.stack.push(StackItem::Type(found));
            }
            b'R' => self.call()?,
            b'0' => match self.stack.pop() {
                Some(_) => {}
                None => return Err(MARK),
            },
            b'1' => drop(self.items_to_mark()?),
            b'2' => self.stack.push(self.top()?),
            0x94 => self.remember(self.memo.len() as u64)?,
            b'p' => {
                let place = input.parsed()?;
                self.remember(place)?;
            }
            b'q' | b'r' => {
                let place = input.number(if operation == b'q' { 1 } else { 4 })?;
                self.remember(place)?;
            }
            b'g' => {
                let place = input.parsed()?;
                self.recall(place)?;
            }
            b'h' | b'j' => {
                let place = input.number(if operation == b'h' { 1 } else { 4 })?;
                self.recall(place)?;
            }
            _ => return Err(UnreadableValue(format!("opcode {operation:#04x}").into())),
        }
        Ok(())
    }

    fn push(&mut self, value: PythonValue) {
        let id = self.arena.add(value);
        self.stack.push(StackItem::Value(id));
    }

    fn top(&self) -> Result<StackItem, UnreadableValue> {
        self.stack.last().copied().ok_or(UnreadableValue::new("no pickle (stack)"))
    }

    fn remember(&mut self, place: u64) -> Result<(), UnreadableValue> {
        match self.top()? {
            StackItem::Mark => Err(MARK),
            item => {
                self.memo.insert(place, item);
                Ok(())
            }
        }
    }

    fn recall(&mut self, place: u64) -> Result<(), UnreadableValue> {
        let item = self.memo.get(&place).ok_or(UnreadableValue::new("no pickle (memo)"))?;
        self.stack.push(*item);
        Ok(())
    }

    fn pop_values(&mut self, count: usize) -> Result<Vec<ValueId>, UnreadableValue> {
        let from = self.stack.len().checked_sub(count).ok_or(UnreadableValue::new("no pickle (stack)"))?;
        self.stack.drain(from..).map(only_value).collect()
    }

    fn items_to_mark(&mut self) -> Result<Vec<ValueId>, UnreadableValue> {
        let mark = self.stack.iter().rposition(|item| matches!(item, StackItem::Mark)).ok_or(MARK)?;
        self.stack.drain(mark..).skip(1).map(only_value).collect()
    }

    fn container(&mut self) -> Result<&mut PythonValue, UnreadableValue> {
        match self.top()? {
            StackItem::Value(id) => Ok(self.arena.get_mut(id)),
            StackItem::Mark | StackItem::Type(_) => Err(MARK),
        }
    }

    fn extend(&mut self, items: Vec<ValueId>) -> Result<(), UnreadableValue> {
        let PythonValue::List(list) = self.container()? else { return Err(UnreadableValue::new("no pickle (list)")) };
        list.extend(items);
        Ok(())
    }

    fn update(&mut self, items: &[ValueId]) -> Result<(), UnreadableValue> {
        let (pairs, rest) = items.as_chunks::<2>();
        match self.container()? {
            PythonValue::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => Err(UnreadableValue::new("no pickle (dict)")),
        }
    }

    fn call(&mut self) -> Result<(), UnreadableValue> {
        let arguments = self.pop_values(1)?;
        let (Some(StackItem::Type(called)), PythonValue::Tuple(arguments)) =
            (self.stack.pop(), self.arena.get(arguments[0]))
        else {
            return Err(UnreadableValue::new("a call"));
        };
        let made = called.make(self.arena, arguments)?;
        if let PythonValue::Bytes(bytes) = &made {
            self.made_bytes += bytes.len();
            if self.made_bytes > MAX_PICKLE_BYTES {
                return Err(UnreadableValue::new("too large"));
            }
        }
        self.push(made);
        Ok(())
    }
}

fn only_value(item: StackItem) -> Result<ValueId, UnreadableValue> {
    match item {
        StackItem::Value(id) => Ok(id),
        StackItem::Type(_) => Err(UnreadableValue::new("a name as a value")),
        StackItem::Mark => Err(MARK),
    }
}

/// The value of an operation that has one by itself.
fn read_scalar(operation: u8, input: &mut PickleInput<'_>) -> Result<Option<PythonValue>, UnreadableValue> {
    Ok(Some(match operation {
        b'N' => PythonValue::Null,
        0x88 => PythonValue::Bool(true),
        0x89 => PythonValue::Bool(false),
        b'I' => match input.word()? {
            "00" => PythonValue::Bool(false),
            "01" => PythonValue::Bool(true),
            word => PythonValue::Integer(word.parse().map_err(|_| UnreadableValue::new("no pickle (number)"))?),
        },
        b'J' => PythonValue::Integer(signed(input.take(4)?)?),
        b'K' => PythonValue::Integer(input.number(1)?.into()),
        b'M' => PythonValue::Integer(input.number(2)?.into()),
        b'L' => PythonValue::Integer(input.parsed()?),
        0x8a => PythonValue::Integer(signed(input.counted(1)?)?),
        0x8b => PythonValue::Integer(signed(input.counted(4)?)?),
        b'F' => PythonValue::Float(input.parsed()?),
        b'G' => {
            let bits = input.take(8)?.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
            PythonValue::Float(f64::from_bits(bits))
        }
        b'V' => PythonValue::Text(unescaped(input.line()?)?),
        b'X' => PythonValue::Text(input.text(4)?.to_owned()),
        0x8d => PythonValue::Text(input.text(8)?.to_owned()),
        0x8c => PythonValue::Text(input.text(1)?.to_owned()),
        b'B' => PythonValue::Bytes(input.counted(4)?.to_vec()),
        0x8e => PythonValue::Bytes(input.counted(8)?.to_vec()),
        b'C' => PythonValue::Bytes(input.counted(1)?.to_vec()),
        b']' => PythonValue::List(Vec::new()),
        b')' => PythonValue::Tuple(Vec::new()),
        b'}' => PythonValue::Dict(Vec::new()),
        _ => return Ok(None),
    }))
}
