// What the language definition of CEL says, case by case, and where we knowingly differ.

import { describe, expect, it } from "vitest";
import { Failure } from "../../../../collector/step/cel/values.ts";
import { evaluate, faultOf } from "./evaluate.ts";

describe("an expression that is true by the standard", () => {
  it.each([
    // literals
    "0x10 == 16 && 0xFu == 15u && 1e3 == 1000.0 && .5 == 0.5 && 1.5e-1 == 0.15",
    "-9223372036854775808 < 9223372036854775807 && 18446744073709551615u > 0u",
    String.raw`"\x41\u0042\U00000043\104" == "ABCD"`,
    String.raw`r"\d" == "\\d" && r'a\' == "a\\"`,
    `"""a"b""" == 'a"b' && '''it's''' == "it's"`,
    String.raw`b"ü" == b"\xc3\xbc" && size(b"ü") == 2 && size("ü") == 1`,
    "[1, 2,] == [1, 2] && {'a': 1,} == {'a': 1}",
    "1 + 2 // a comment\n == 3",
    // numbers
    "1 == 1u && 1 == 1.0 && 1u == 1.0 && 1 < 1.5 && 2u > 1",
    "dyn(9007199254740993) != 9007199254740992.0",
    "7 / 2 == 3 && -7 / 2 == -3 && -7 % 3 == -1 && 7 % -3 == 1",
    "1.0 / 0.0 == double('Infinity') && double('NaN') != double('NaN')",
    "1 + 2 * 3 - 4 == 3 && (1 + 2) * 3 == 9 && -2 * -3 == 6 && --2 == 2",
    // equality of different types
    "dyn(1) != 'a' && dyn('1') != 1 && dyn(null) != false && dyn([]) != {}",
    "[1, 'a', true] == [1.0, 'a', true] && {1: 'a'} == {1u: 'a'}",
    "{'a': 1, 'b': 2} == {'b': 2, 'a': 1} && {'a': 1} != {'a': 1, 'b': 2}",
    // logic, with failures on the way
    "true || 1 / 0 > 0",
    "1 / 0 > 0 || true",
    "!(false && 1 / 0 > 0) && !(1 / 0 > 0 && false)",
    "true ? true : 1 / 0 > 0",
    "1 == 2 || 2 == 2 && true",
    // relations are of one rank and read from the left
    "1 < 2 == true && 1 == 1 != false",
    // text
    "'abc'.startsWith('ab') && 'abc'.endsWith('bc') && 'abc'.contains('b') && ''.size() == 0",
    "size('😀a') == 2 && 'ﬀ' < '😀' && 'a' < 'b' && 'a' < 'aa'",
    "'Ab'.lowerAscii() == 'ab' && 'Äb'.upperAscii() == 'ÄB'",
    "'/health'.matches('^/(health|ready)$') && matches('xaay', 'a+') && !'b'.matches('^a')",
    // conversions
    "int('-5') == -5 && int(2.9) == 2 && int(-2.9) == -2 && int(5u) == 5",
    "uint('7') == 7u && double('1.5') == 1.5 && double(2) == 2.0 && bool('true')",
    "string(5) == '5' && string(1.5) == '1.5' && string(true) == 'true' && string(b'abc') == 'abc'",
    "bytes('abc') == b'abc' && string(timestamp('2009-02-13T23:31:30Z')) == '2009-02-13T23:31:30Z'",
    "int(timestamp('2009-02-13T23:31:30Z')) == 1234567890",
    "type(1) == int && type('a') == string && type(null) == null_type && type(int) == type",
    // lists and maps
    "1 in [1, 2] && !(3 in [1, 2]) && 'a' in {'a': 1} && [1, 2][1] == 2 && {'a': {'b': 1}}.a.b == 1",
    "[1] + [2] == [1, 2] && size([1, 2]) == 2 && size({1: 2}) == 1",
    "[1, 2].all(x, x > 0) && [1, 2].exists(x, x == 2) && [1, 2].exists_one(x, x == 2)",
    "[1, 2, 3].filter(x, x > 1) == [2, 3] && [1, 2].map(x, x * 2) == [2, 4]",
    "[1, 2, 3].map(x, x > 1, x * x) == [4, 9] && {'a': 1}.all(k, k == 'a')",
    "[[1], [2]].all(x, x.exists(y, y > 0)) && [1].all(x, [2].all(x, x == 2) && x == 1)",
    "[0, 1].exists(x, 1 / x == 1) && ![0, 1].all(x, 1 / x == 2)",
    "has({'a': 1}.a) && !has({'a': 1}.b)",
    // time
    "timestamp('2026-01-31T12:00:00.5+02:00') == timestamp('2026-01-31T10:00:00.500Z')",
    "timestamp('2026-01-31T12:00:00Z') + duration('1h30m') == timestamp('2026-01-31T13:30:00Z')",
    "timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')",
    "duration('1.5s') > duration('1s') && duration('-1m') < duration('0') && duration('1ms') == duration('1000us')",
    "string(duration('1h0.5s')) == '3600.5s' && duration('90m').getHours() == 1",
    "timestamp('2026-01-31T23:30:00Z').getDate() == 31 && timestamp('2026-01-31T23:30:00Z').getMonth() == 0",
    "timestamp('2026-01-31T23:30:00Z').getHours('+02:00') == 1",
    "timestamp('2026-07-01T00:00:00Z').getHours('Europe/Berlin') == 2",
    "timestamp('2026-12-31T00:00:00Z').getDayOfYear() == 364 && timestamp('2026-11-22T00:00:00Z').getDayOfWeek() == 0",
    "timestamp('1969-12-31T23:59:59.999Z').getMilliseconds() == 999",
    // constants of OTLP
    "SPAN_KIND_SERVER == 2 && STATUS_CODE_ERROR == 2 && SEVERITY_NUMBER_ERROR == 17 && SEVERITY_NUMBER_FATAL4 == 24",
  ])("%s", (text) => {
    expect(evaluate(text)).toBe(true);
  });
});

describe("a value that there is not", () => {
  it.each([
    ["9223372036854775807 + 1 == 0", "an int out of range"],
    ["-9223372036854775808 - 1 == 0", "an int out of range"],
    ["-(-9223372036854775808) == 0", "an int out of range"],
    ["0u - 1u == 0u", "a uint out of range"],
    ["1 / 0 == 0", "a division by zero"],
    ["1 % 0 == 0", "a division by zero"],
    ["[1][1] == 0", "no such place in the list"],
    ["[1][-1] == 0", "no such place in the list"],
    ["{'a': 1}['b'] == 0", "no such key"],
    ["dyn('a') < 1", "no string < int"],
    ["dyn('a') + 1 == 2", "no string + int"],
    ["false || dyn(1)", "int where a bool is needed"],
    ["dyn('x') ? true : false", "string where a bool is needed"],
    ["{'a': 1, dyn('a'): 2} == {}", "a key twice in a map"],
  ])("%s: %s", (text, words) => {
    expect(evaluate(text)).toEqual(new Failure(words));
  });
});

describe("what is absent", () => {
  it.each([
    ["dyn(null) == null", true],
    ["dyn(null) == 'a'", false],
    ["dyn(null) != 'a'", true],
    ["dyn(null) < 5", false],
    ["dyn(null) >= 5", false],
    ["dyn(null) in ['a']", false],
    ["'a' in dyn(null)", false],
    ["dyn(null).startsWith('a')", false],
    ["dyn(null).matches('a')", false],
    ["!dyn(null)", true],
    ["dyn(null) && true", false],
    ["dyn(null).a.b == null", true],
    ["dyn(null)['a'] == null", true],
    ["dyn(null).lowerAscii() == 'a'", false],
    ["int(dyn(null)) > 5", false],
    ["dyn(dyn(null) + 'a') == null", true],
    ["-dyn(null) == null", true],
    ["dyn(null).exists(x, true)", false],
  ])("answers %s with %s", (text, answer) => {
    expect(evaluate(text)).toBe(answer);
  });
});

describe("what could never work is refused when it is read", () => {
  it.each([
    ["", "at column 1: there is no expression"],
    ["1 == 'a'", "at column 3: an int is never equal to a string"],
    ["span.kind == '2'", "at column 11: an int is never equal to a string"],
    [
      "duration > '1s'",
      'at column 10: ">" does not compare a duration with a string; write duration("…")',
    ],
    [
      "1 + 1.0 == 2.0",
      'at column 3: "+" does not go with an int and a double; convert one with int() or double()',
    ],
    ["span.name && true", "at column 6: a string where a bool (true or false) is needed"],
    ["!1", "at column 2: an int where a bool (true or false) is needed"],
    ["-'a' == 'b'", "at column 1: there is no minus of a string"],
    ["1 in 2", "at column 3: an int is never in an int"],
    ["1 in ['a']", "at column 3: an int is never in a list of a string"],
    ["sapn.name == 'a'", 'at column 1: there is no "sapn"; did you mean "span"?'],
    ["span.nmae == 'a'", 'at column 6: span has no "nmae"; did you mean "name"?'],
    ["span.status.cod == 2", 'at column 13: status has no "cod"; did you mean "code"?'],
    [
      "span.events.exists(e, e.nam == 'a')",
      'at column 25: event has no "nam"; did you mean "name"?',
    ],
    ["span['a'] == 'b'", 'at column 6: span has fields; an attribute is span.attributes["…"]'],
    ["span.name.foo == 1", 'at column 11: a string has no "foo"'],
    [
      "span.name.startWith('a')",
      'at column 11: there is no function "startWith"; did you mean "startsWith"?',
    ],
    ["startsWith(span.name, 'a')", "at column 1: startsWith is written value.startsWith(…)"],
    ["'1'.int() == 1", "at column 5: int is written int(…)"],
    [
      "span.name.startsWith(1)",
      "at column 11: startsWith takes a string, a string, but is given a string, an int",
    ],
    [
      "size(1) == 1",
      "at column 1: size takes a string or a bytes or a list or a map, but is given an int",
    ],
    [
      "timestamp('yesterday') > span.start_time",
      "at column 1: not a timestamp; write one such as 2026-01-31T12:00:00Z",
    ],
    [
      "duration > duration('1 s')",
      'at column 12: not a duration; write one such as "1h30m" or "250ms"',
    ],
    ["span.name.matches('(')", 'at column 19: the pattern lacks a closing ")"'],
    ["span.name.matches(span.name)", "at column 24: the pattern must be a text in quotes"],
    ["has(span)", 'at column 1: has() takes a field or a key, such as has(log.attributes["x"])'],
    ["[1].all(1, true)", "at column 5: all is written list.all(x, … x …)"],
    ["(1).all(x, true)", "at column 5: an int is neither a list nor a map"],
    ["'a' == \"b", 'at column 8: has no closing "'],
    ["'a\n' == ''", "at line 1, column 1: has no closing '"],
    ["span.name = 'a'", 'at column 11: "=" compares nothing; did you mean "=="?'],
    ["true & true", 'at column 6: there is no "&"; did you mean "&&"?'],
    ["true | true", 'at column 6: there is no "|"; did you mean "||"?'],
    ["(true", 'at column 6: the end where ")" is expected'],
    ["true)", 'at column 5: ")" where the end is expected'],
    ["true &&", "at column 8: the end where a value is expected"],
    ["f(1,)", 'at column 5: ")" where a value is expected'],
    ["if == 1", "at column 1: if is a reserved word"],
    ["9223372036854775808 > 0", "at column 1: 9223372036854775808 has more than 64 bits"],
    [
      "18446744073709551616u > 0u",
      "at column 1: 18446744073709551616u has more than 64 bits, at most 9223372036854775807 is possible",
    ],
    [String.raw`"\q" == ""`, String.raw`at column 2: \q is no escape; write \\`],
    [String.raw`"\ud800" == ""`, String.raw`at column 2: \ud800 is not a character`],
    ["1a == 1", "at column 1: is not a number"],
    ["!-1 == 1", "at column 2: put what is negated into ( )"],
    ["true &&\n  span.knd == 1", 'at line 2, column 8: span has no "knd"; did you mean "kind"?'],
    ["'ü😀' == 1", "at column 6: a string is never equal to an int"],
  ])("%j: %s", (text, words) => {
    expect(faultOf(text)).toBe(words);
  });
});
