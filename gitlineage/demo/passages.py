"""
The passages of code and text that the demo's specialists exchange in the recipe; who does so is in ``trials``.

Names say what a passage does; what they stand for is in the recipe.
"""

COUNTING = """\
        for context in contexts(history):
            self.counted += 1
            seen = self.followers.setdefault(context, {})
            seen[byte] = seen.get(byte, 0) + 1
"""
COUNTING_NEWS = """\
        for context in reversed(contexts(history)):
            self.counted += 1
            seen = self.followers.setdefault(context, {})
            seen[byte] = seen.get(byte, 0) + 1
            if seen[byte] > 1:
                break  # shorter contexts count in how many longer ones a byte follows, not how often
"""
MASS = "    return (seen.get(byte, 0) + MASS * shorter) / (sum(seen.values()) + MASS)\n"
SURPRISE = """\
    total = sum(seen.values())
    doubt = len(seen) / (total - len(seen))
    return (seen.get(byte, 0) / total + doubt * shorter) / (1 + doubt)
"""
DISCOUNT = """\
    kept = max(seen.get(byte, 0) - DISCOUNT, 0)
    return (kept + DISCOUNT * len(seen) * shorter) / sum(seen.values())
"""
FREED = "DISCOUNT * len(seen) * shorter"
ALL_FREED = "len(seen) * shorter"
PROBABILITY = "    def probability(self, history: bytes, byte: int) -> float:\n"
SHARE = """\
    def probability(self, history: bytes, byte: int) -> float:
        \"\"\"Return a byte's share of the weight of all 256.\"\"\"
        return self.weight(history, byte) / sum(self.weight(history, other) for other in range(256))

    def weight(self, history: bytes, byte: int) -> float:
"""
SUFFIXES = "    return [history[len(history) - length :] for length in range(min(ORDER, len(history)) + 1)]\n"
LINES = """\
    suffixes = [history[len(history) - length :] for length in range(min(ORDER, len(history)) + 1)]
    line = b"line:" + history.rpartition(b"\\n")[2]
    return [*suffixes, line]
"""
WORDS = """\
    suffixes = [history[len(history) - length :] for length in range(min(ORDER, len(history)) + 1)]
    words = b"words:" + b" ".join(history.split()[-2:])
    return [*suffixes, words + b" " if history[-1:].isspace() else words]
"""
UNMOVED = """\
        \"\"\"Hear what a held-out byte was, once it is scored; this model makes nothing of it.\"\"\"
"""
LEARNING = """\
        \"\"\"Learn what a held-out byte was, once it is scored.\"\"\"
        self.learn(history, byte)
"""
JOINED = '    return b"".join(source(name, MODULE_BYTES) for name in names)[:TRAIN_BYTES]\n'
WITHOUT_COMMENTS = """\
    text = b"".join(source(name, MODULE_BYTES) for name in names)
    return re.sub(rb"#[^\\n]*", b"", text)[:TRAIN_BYTES]
"""
PRIMED = """\
    primer = Path(__file__).with_name("primer.txt").read_bytes()
    return (primer + b"".join(source(name, MODULE_BYTES) for name in names))[:TRAIN_BYTES]
"""
PRIMER = """\
def __init__(self, *args, **kwargs):
    if self is None:
        raise ValueError("...")
    for key, value in self.items():
        return True
class Error(Exception):
    pass
    try:
    except (KeyError, TypeError):
    while not False:
import os, sys, re
from collections import deque
"""
CURRICULUM = """\
threading.py
heapq.py
contextlib.py
weakref.py
copy.py
cmd.py
code.py
codeop.py
fnmatch.py
getopt.py
linecache.py
reprlib.py
csv.py
bdb.py
enum.py
calendar.py
configparser.py
difflib.py
argparse.py
base64.py
ast.py
"""
