"""User names in texts, and what only looks like them; pieces of the kernel in `spans`, which says what they are.

In: UTF-8 bytes and the place of an @ with nothing in front that could be a local part. Out: the end of the name, 0 if
there is none. Technical prose is full of words behind an @ that are nobody: annotations, at-rules of style sheets, tags
of documentation, arrays of Perl, macros. What tells them: a list of their names, the sign in front or behind, and the
word in front.
"""

import numpy as np

from pipeline.text.ascii import alnum, letter, word
from pipeline.text.characters import ALNUM, UNSPACED, U, decode
from pipeline.text.compiling import piece
from pipeline.text.nearby import follows, slots, spelled

LEAST, LONGEST = 3, 64  # characters without the @; ROOTS has the same least
MOST_DECORATORS, LONGEST_DEFINE = 8, 12  # lines of a pile; letters of the word that defines
MOST_BLANKS = 40  # that are passed over, so that time stays linear

# Words behind an @ that mean the same to everybody who writes them
NOBODY = (
    # Java, Kotlin, Scala, C#
    "override deprecated suppresswarnings safevarargs functionalinterface nullable nonnull notnull checkfornull test "
    "before after beforeeach aftereach beforeall afterall beforeclass afterclass ignore disabled inject autowired bean "
    "component service repository controller restcontroller configuration entity table column generatedvalue "
    "transactional retention documented inherited repeatable native visiblefortesting gwtincompatible gwtcompatible "
    "throws throw jvmstatic jvmfield composable parameterizedtest runwith mock tailrec inline volatile transient "
    "requestmapping getmapping postmapping pathvariable requestbody requestparam interface implementation "
    # Python
    "property staticmethod classmethod abstractmethod dataclass dataclasses lru_cache cache cached_property wraps "
    "functools.wraps functools.lru_cache contextmanager asynccontextmanager overload final typing.overload pytest "
    "pytest.fixture pytest.mark.parametrize fixture abc.abstractmethod singledispatch singledispatchmethod coroutine "
    "asyncio.coroutine contextlib.contextmanager unittest.skip patch patch.object mock.patch total_ordering unique "
    "runtime_checkable decorator decorators app.route app.get app.post jit njit numba.jit tf.function torch.no_grad "
    # tags of documentation
    "param params parameter return returns result exception raise raises see seealso since author authors version "
    "copyright license licence link linkplain code codetext literal value inheritdoc serial type types typedef "
    "typeparam template var variable const constant constructor constructs class classdesc enum abstract access "
    "private protected public package internal static readonly global module namespace memberof member method "
    "function func fn callback event emits fires listens example examples default defaultvalue description desc "
    "summary file fileoverview overview note todo fixme bug warning attention brief details ingroup defgroup "
    "addtogroup name page mainpage section subsection ref anchor endcode verbatim endverbatim htmlonly endhtmlonly "
    "pre post invariant par sa short struct union def define retval arg mixin mixes extends augments implements this "
    "yields generator async await hidden ignore suppress preserve lends requires exports external kind borrows "
    "tutorial alias api apioption group category subpackage uses used-by property-read property-write method "
    "ts-ignore ts-expect-error ts-nocheck jsx flow noflow format generated codecoverageignore dataprovider "
    "expectedexception covers nodoc option overload "
    # style sheets
    "media import charset font-face keyframes -webkit-keyframes -moz-keyframes supports page layer container "
    "font-feature-values counter-style viewport apply tailwind include mixin extend content if else for each while use "
    "forward at-root debug error warn namespace document property starting-style scope view-transition "
    # Objective-C, Swift
    "end selector synthesize dynamic protocol optional required try catch finally autoreleasepool synchronized encode "
    "objc escaping autoclosure available main mainactor published state binding environment environmentobject "
    "observedobject stateobject ibaction iboutlet nonobjc discardableresult testable "
    # Texinfo and Autoconf
    "node menu chapter appendix settitle setfilename titlepage top bye contents itemize enumerate item itemx "
    "multitable samp kbd key dfn cite acronym url uref email emph strong sc xref pxref inforef deffn defun deftypefn "
    "defvar table vtable ftable findex cindex kindex vindex pindex tindex printindex sp vskip center ifinfo iftex "
    "ifhtml ifdocbook ifxml ifplaintext ifnotinfo ifset ifclear docbook html tex ignore macro unnumbered heading "
    "subheading subsubsection smallexample lisp display quotation footnote dots noindent refill comment dircategory "
    "direntry detailmenu insertcopying prefix exec_prefix bindir sbindir libdir libexecdir datadir datarootdir "
    "sysconfdir localstatedir mandir infodir docdir includedir srcdir builddir top_srcdir top_builddir abs_srcdir "
    "abs_builddir package_version package_name "
    # Perl
    "argv isa export export_ok export_fail inc env array list foo bar baz qux arr ary args lines fields files words "
    # schedules, accounts of programs, names in links of data
    "reboot yearly annually monthly weekly daily midnight hourly every every_minute includeif "
    "context graph id type value language set list reverse index base vocab container "
    "system-service basic-io file-system network-io privileged resources clock cpu-emulation debug ipc mount obsolete "
    "raw-io setuid swap sync timer aio chown io-event known localhost all everyone here channel "
    # languages of templates and scripts
    "csrf auth guest endif endforeach endsection yield stack push endpush foreach forelse empty isset switch case php "
    "model html.raw renderbody rendersection styles scripts parent props slot vite livewire "
)
# Words in front that make a name of the word behind them: of Perl, in examples of manuals
CODE_WORDS = "my our foreach unshift splice scalar chomp undef wantarray push pop shift sort grep qw local print join"
_NOBODY = slots(NOBODY.split())
_CODE_WORDS = slots(CODE_WORDS.split())
_DOMAINS = slots(["com", "org", "net", "edu", "gov", "mil", "int", "info", "localdomain"])
_DEFINES = slots(
    [
        "def",
        "class",
        "async",
        "public",
        "private",
        "protected",
        "static",
        "final",
        "abstract",
        "void",
        "function",
        "export",
        "const",
    ]
)


@piece
def step_at(data, i, end, kinds):  # type: ignore[no-untyped-def]
    """Bytes of the non-ASCII letter, mark or number at `i`, 0 if there is none; not of unspaced scripts."""
    if data[i] < 0x80:
        return 0
    code, after = decode(data, U(i), U(end))
    if kinds[code] & (ALNUM | UNSPACED) != ALNUM:
        return 0
    return np.int64(after) - i


@piece
def handle(data, at, begin, text, floor, end, kinds, lower):  # type: ignore[no-untyped-def]
    """The end of the user name from `begin` on, behind the sign at `at`, 0 if none; `text` is where the text begins."""
    if at > floor and _forbids_in_front(data[at - 1]):
        return 0
    last = _name(data, begin, end, kinds)
    if last == 0 or _forbids_behind(data, last, end):
        return 0
    if spelled(data, begin, last, lower, _NOBODY) or follows(data, at, floor, kinds, lower, _CODE_WORDS):
        return 0
    if _is_domain(data, begin, last, lower):
        return 0
    return 0 if _decorates(data, at, last, text, end, lower) else last


@piece
def _forbids_in_front(byte):  # type: ignore[no-untyped-def]
    r"""{@link}, \@, $@, %@, &@, =@, |@domain|, [@key], @@name, `@decorator`, #@, ^@."""
    return byte in (123, 92, 36, 37, 38, 61, 124, 91, 64, 96, 35, 94)


@piece
def _forbids_behind(data, i, end):  # type: ignore[no-untyped-def]
    r"""@f(, @a[, @code{, @x=, @macro@, `@code`, @\, @x|, @scope/package, @a::b, @x->y, "@key":, @x = y, @a;"""
    if i >= end:
        return False
    byte = data[i]
    after = data[i + 1] if i + 1 < end else 10
    if byte in (40, 91, 123, 61, 64, 96, 92, 124, 47, 36, 37, 95):
        return True
    if byte == 58:
        return after == 58 or alnum(after)
    if byte == 34:
        return after == 58
    if byte == 45:
        return after == 62
    if byte == 0xC2 and after == 0xB6:  # the pilcrow behind headings of manuals
        return True
    if byte == 32 or byte == 9:
        stop = min(end, i + MOST_BLANKS)
        while i < stop and (data[i] == 32 or data[i] == 9):
            i += 1
        return i < stop and data[i] == 61
    if byte == 59:
        stop = min(end, i + MOST_BLANKS)
        while i + 1 < stop and (data[i + 1] == 32 or data[i + 1] == 9):
            i += 1
        return i + 1 >= end or data[i + 1] == 10 or data[i + 1] == 35
    return False


@piece
def _name(data, begin, end, kinds):  # type: ignore[no-untyped-def]
    """The end of the longest name from `begin` on, 0 if there is none: of LEAST to LONGEST, two of them letters."""
    i, last = begin, begin
    length, sure, letters = 0, 0, 0  # characters, those up to the last that may end a name, and letters
    while i < end and length <= LONGEST:
        byte = data[i]
        step = 1 if word(byte) else step_at(data, i, end, kinds)
        if step:
            letters += 1 if byte >= 0x80 or letter(byte) else 0
            i += step
            length += 1
            last, sure = i, length
        elif (byte == 46 or byte == 45) and last == i and i > begin:  # one . or - between two parts
            i += 1
            length += 1
        else:
            break
    return last if LEAST <= sure <= LONGEST and letters >= 2 else 0


@piece
def _is_domain(data, begin, last, lower):  # type: ignore[no-untyped-def]
    """Whether it is what all addresses of a host end in: @example.com."""
    i = last
    while i > begin and last - i < 16 and data[i - 1] != 46:
        i -= 1
    return i > begin and data[i - 1] == 46 and spelled(data, i, last, lower, _DOMAINS)


@piece
def _decorates(data, at, last, text, end, lower):  # type: ignore[no-untyped-def]
    """Whether the name is a line of its own, and a definition begins below: a decorator or an annotation.

    Other such lines may stand between, since all of a pile are judged alike: or what stays would change its neighbour.
    """
    i = at
    while i > text and at - i < MOST_BLANKS and (data[i - 1] == 32 or data[i - 1] == 9):
        i -= 1
    if i > text and data[i - 1] != 10:
        return False
    i = last
    for _ in range(MOST_DECORATORS):
        if i >= end or data[i] != 10:
            return i < end and data[i] == 40 and i != last
        i += 1
        stop = min(end, i + MOST_BLANKS)
        while i < stop and (data[i] == 32 or data[i] == 9):
            i += 1
        if i < end and data[i] == 64:
            i = _word_end(data, i + 1, end, LONGEST)
            continue
        stop = _word_end(data, i, end, LONGEST_DEFINE)
        return stop > i and spelled(data, i, stop, lower, _DEFINES)
    return False


@piece
def _word_end(data, i, end, most):  # type: ignore[no-untyped-def]
    """The end of the ASCII letters, digits and _ . - from `i` on, `most` of them at most."""
    stop = min(end, i + most)
    while i < stop and (word(data[i]) or data[i] == 46 or data[i] == 45):
        i += 1
    return i
