"""What is secret, looked for in files in every form that our own programs or
a mail would give it: plain, base64 at each alignment, quoted-printable, hex,
UTF-16 and percent signs; line breaks within a form do not hide it."""
import base64
import os
import re


def forms(word):
    """The byte strings that show `word`."""
    out = {word, word.replace(b' ', b'=20'), word.replace(b' ', b'_'),
           word.replace(b' ', b'%20'), word.replace(b' ', b'+')}
    for shift in range(3):
        # what the neighbours decide of the first and the last signs is cut
        text = base64.b64encode(b'\0' * shift + word)
        first = -(-shift * 4 // 3) if shift else 0
        last = (shift + len(word)) * 4 // 3
        out.add(text[first:last].rstrip(b'='))
        out.add(text[first:last].rstrip(b'=').translate(
            bytes.maketrans(b'+/', b'-_')))
    for digits in ('%02x', '%02X'):
        out.add(''.join(digits % c for c in word).encode())
        out.add(''.join('=' + digits % c for c in word).encode())
        out.add(''.join('%%' + digits % c for c in word).encode())
    for order in ('utf-16-le', 'utf-16-be'):
        out.add(word.decode('latin-1').encode(order))
    return out


class Finder:
    def __init__(self, words):
        self.forms = sorted({f for w in words for f in forms(w)})

    def shows(self, data):
        """As it is, and without soft breaks of quoted-printable and the line
        breaks of base64. (One search for each form is much faster than a
        pattern of all.)"""
        if data == bytes(len(data)):
            return False  # the reserve: 16 MB
        flat = re.sub(rb'=?\r?\n', b'', data)
        return any(f in data for f in self.forms) \
            or flat != data and any(f in flat for f in self.forms)

    def files(self, *tops, known=lambda path: False):
        """The files below `tops` that show one of the words; `known` are
        left out."""
        out = []
        for top in tops:
            if os.path.isfile(top):
                names = [top]
            else:
                names = [os.path.join(path, name)
                         for path, _, files in os.walk(top)
                         for name in files]
            for name in names:
                if known(name):
                    continue
                try:
                    with open(name, 'rb') as f:
                        data = f.read()
                except OSError:
                    continue
                if self.shows(data):
                    out.append(name)
        return out


def selftest():
    """None, or the form that was not found."""
    import quopri
    word = b'the secret of this test'
    find = Finder([word])
    for before in (b'', b'a', b'ab', b'abc'):
        for after in (b'', b'x', b'xy'):
            text = before + word + after
            b64 = base64.b64encode(text)
            qp = quopri.encodestring(b'x' * 60 + text)
            for shown in (text, b64, base64.urlsafe_b64encode(text),
                          b'\r\n'.join(b64[i:i + 7]
                                       for i in range(0, len(b64), 7)),
                          qp, text.hex().encode(),
                          text.hex().upper().encode(),
                          text.decode().encode('utf-16'),
                          quopri.encodestring(text, header=True)):
                if not find.shows(b'\0\1' + shown + b'\0'):
                    return repr(shown)
    if find.shows(b'the secret of that test'):
        return 'what is not there'
    return None
