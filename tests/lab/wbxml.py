"""WBXML of ActiveSync for tests, independent of the library room `wbxml`.

    doc = encode('<Sync><Collections>...</Collections></Sync>')
    root = decode(answer)            # an Element
    root.find('Collections/Collection/SyncKey').text

Text is written as in src/wbxml/text.h: a tag without prefix is on the page of
the root element, others carry the short name of their page
(<base:Type>, <airsync:SyncKey>). An attribute code="opaque" makes OPAQUE of a
text, code="base64" OPAQUE of what it decodes to.

Element.text is str where the bytes are UTF-8, always a str; Element.bytes are
the exact bytes. Paths: names of the same page as their parent need no prefix,
others do ('ApplicationData/email:Subject').
"""
import base64
import os
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

SHORT = ('airsync contacts email airnotify calendar move estimate folder '
         'meeting tasks resolve validate contacts2 ping provision search gal '
         'base settings doc io compose email2 notes rm find').split()
ROOTS = {}      # name of a command -> page
TOKEN = {}      # (page, name) -> token
NAME = {}       # (page, token) -> name
OPAQUE_TAGS = {('compose', 'Mime'), ('email2', 'ConversationId'),
               ('email2', 'ConversationIndex'), ('base', 'Content'),
               ('io', 'ConversationId')}


def _load():
    top = os.environ.get('srcdir') or os.path.join(os.path.dirname(
        os.path.abspath(__file__)), '..', '..')
    with open(os.path.join(top, 'src/wbxml/codepages.tsv')) as f:
        for line in f:
            cell = line.rstrip('\n').split('\t')
            if not cell[0].isdigit():
                continue
            page, token, name = int(cell[0]), int(cell[2], 16), cell[3]
            TOKEN.setdefault((page, name), token)
            NAME.setdefault((page, token), name)
    for page, roots in ((0, 'Sync'), (5, 'MoveItems'), (6, 'GetItemEstimate'),
                        (7, 'FolderSync FolderCreate FolderDelete '
                            'FolderUpdate'), (8, 'MeetingResponse'),
                        (10, 'ResolveRecipients'), (11, 'ValidateCert'),
                        (13, 'Ping'), (14, 'Provision'), (15, 'Search'),
                        (18, 'Settings'), (20, 'ItemOperations'),
                        (21, 'SendMail SmartReply SmartForward'),
                        (25, 'Find')):
        for root in roots.split():
            ROOTS[root] = page


class Element:
    def __init__(self, page, name, parent=None):
        self.page, self.name, self.parent = page, name, parent
        self.bytes = b''
        self.children = []

    @property
    def text(self):
        return self.bytes.decode('utf-8', 'replace')

    def findall(self, path):
        """All elements at the path below this one."""
        first, _, rest = path.partition('/')
        prefix, colon, name = first.rpartition(':')
        page = SHORT.index(prefix) if colon else self.page
        hits = [c for c in self.children
                if c.page == page and c.name == name]
        if not rest:
            return hits
        return [d for h in hits for d in h.findall(rest)]

    def find(self, path):
        hits = self.findall(path)
        return hits[0] if hits else None

    def value(self, path, default=None):
        hit = self.find(path)
        return default if hit is None else hit.text

    def xml(self, depth=0, root=None):
        root = self.page if root is None else root
        tag = self.name if self.page == root else '%s:%s' % (
            SHORT[self.page], self.name)
        pad = '  ' * depth
        if self.children:
            inner = ''.join(c.xml(depth + 1, root) for c in self.children)
            return '%s<%s>\n%s%s</%s>\n' % (pad, tag, inner, pad, tag)
        if not self.bytes:
            return '%s<%s/>\n' % (pad, tag)
        return '%s<%s>%s</%s>\n' % (pad, tag, escape(self.text), tag)


def _mb(data, at):
    value = 0
    while True:
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7f
        if not byte & 0x80:
            return value, at


def decode(data):
    """Raises ValueError for what is no whole document."""
    if data[:4] != b'\x03\x01\x6a\x00':
        raise ValueError('no WBXML of ActiveSync: %r' % data[:16])
    at, page, top, root = 4, 0, None, None
    try:
        while root is None or top is not None:
            token = data[at]
            at += 1
            if token == 0:
                page = data[at]
                at += 1
            elif token == 1:
                top = top.parent
            elif token == 3:
                end = data.index(b'\0', at)
                top.bytes += data[at:end]
                at = end + 1
            elif token == 0xc3:
                n, at = _mb(data, at)
                if at + n > len(data):
                    raise ValueError('an opaque beyond the end')
                top.bytes += data[at:at + n]
                at += n
            elif token & 0x80 or token & 0x3f < 5:
                raise ValueError('token %02x' % token)
            else:
                name = NAME.get((page, token & 0x3f), 'x%02X' % (token & 0x3f))
                new = Element(page, name, top)
                if top is not None:
                    top.children.append(new)
                if root is None:
                    root = new
                if token & 0x40:
                    top = new
    except (IndexError, AttributeError):
        raise ValueError('the document is cut') from None
    if at != len(data):
        raise ValueError('%d bytes behind the document' % (len(data) - at))
    return root


def _put_mb(n):
    out = bytes([n & 0x7f])
    while n > 0x7f:
        n >>= 7
        out = bytes([n & 0x7f | 0x80]) + out
    return out


class _Writer:
    def __init__(self):
        self.out, self.page = bytearray(b'\x03\x01\x6a\x00'), 0

    def element(self, node, page_of_root):
        space, brace, name = node.tag.rpartition('}')
        page = SHORT.index(space[1:]) if brace else page_of_root
        if page != self.page:
            self.out += bytes((0, page))
            self.page = page
        if name.startswith('x') and len(name) == 3:
            token = int(name[1:], 16)
        else:
            token = TOKEN[page, name]
        code = node.get('code')
        data = (node.text or '').encode('utf-8') if not len(node) else b''
        if code == 'base64':
            data = base64.b64decode(data)
        full = len(node) or data
        self.out.append(token | (0x40 if full else 0))
        if data and (code or (SHORT[page], name) in OPAQUE_TAGS):
            self.out += b'\xc3' + _put_mb(len(data)) + data
        elif data:
            self.out += b'\x03' + data + b'\0'
        for child in node:
            self.element(child, page_of_root)
        if full:
            self.out.append(1)


def encode(text):
    """The WBXML of an XML text; tokens and order exactly as written."""
    end = min(text.index(c) for c in ' />' if c in text)
    head = text[1:end]
    spaces = ''.join(' xmlns:%s="%s"' % (s, s) for s in SHORT)
    root = ET.fromstring(text[:end] + spaces + text[end:])
    prefix, colon, name = head.rpartition(':')
    page = SHORT.index(prefix) if colon else ROOTS[name]
    writer = _Writer()
    writer.element(root, page)
    return bytes(writer.out)


def opaque(data):
    """Text for an element with these bytes: <Mime %s> -> attribute and text."""
    return base64.b64encode(data).decode('ascii')


_load()
