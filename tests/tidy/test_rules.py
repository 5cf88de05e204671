# SPDX-License-Identifier: Apache-2.0
"""The rules refuse what they are for: each is shown a small tree that breaks it, and one that does not."""
import os
import tempfile
import unittest

import rules
import tree

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"


def c(*lines):
    return SPDX + "".join(line + "\n" for line in lines)


GOOD = {
    "base/README.md": "# base\n",
    "base/loop.c": c("#include <event2/event.h>", '#include "base/loop.h"', "void loop(void)", "{", "}"),
    "base/loop.h": c('#include "include/fh.h"'),
    "include/README.md": "# include\n",
    "include/fh.h": c("enum { FH_BYTES = 40 };"),
    "mds/README.md": "# mds\n",
    "mds/op/open.c": c('#include "mds/store/store.h"', '#include "nfs4/op.h"', "#include <ctl.h>"),
    "mds/store/store.h": c("#include <rocksdb/c.h>"),
    "nfs4/README.md": "# nfs4\n",
    "nfs4/op.h": c('#include "base/loop.h"'),
    "tests/README.md": "# tests\n",
    "tests/unit/base/test_loop_twice.c": c("#include <cmocka.h>", '#include "base/loop.h"'),
    "tests/scenario/open_is_refused.c": c("/* RFC 8881 §18.16: what it says. */"),
}


def broken(rule, **changes):
    """What RULE says of the good tree with CHANGES: path=text, with - for / and .c or .h appended by the caller."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**GOOD, **changes}.items():
            if text is not None:
                os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                    f.write(text)
        return list(rule(tree.read(root)))


class Rules(unittest.TestCase):
    def refuses(self, rule, where, **changes):
        found = broken(rule, **changes)
        self.assertEqual([line.split(" ")[0].rstrip(":") for line in found], [where], found)

    def accepts(self, rule, **changes):
        self.assertEqual(broken(rule, **changes), [])

    def test_the_good_tree_is_good(self):
        for rule in rules.ALL:
            self.assertEqual(broken(rule), [], rule.__name__)

    def test_floors(self):
        for path, header in (("base/up.c", "nfs4/op.h"), ("include/up.h", "base/loop.h"), ("rpc/up.c", "nfs4/op.h"),
                             ("nfs4/up.c", "mds/store/store.h"), ("ds/up.c", "mds/store/store.h"),
                             ("mds/up.c", "ds/conf.h"), ("s3tier/up.c", "rpc/xdr.h"), ("cli/up.c", "nfs4/op.h")):
            self.refuses(rules.floors, f"{path}:2", **{path: c(f'#include "{header}"')})
        self.accepts(rules.floors, **{"cli/dev.c": c('#include "mds/conf.h"')})

    def test_rooms(self):
        self.refuses(rules.rooms, "mds/state/a.c:2", **{"mds/state/a.c": c('#include "mds/op/open.h"')})
        self.refuses(rules.rooms, "mds/store/a.c:2", **{"mds/store/a.c": c('#include "mds/state/open.h"')})
        self.refuses(rules.rooms, "ds/store/a.c:2", **{"ds/store/a.c": c('#include "ds/ds.h"')})
        self.accepts(rules.rooms, **{"mds/ops.c": c('#include "mds/op/open.h"')})

    def test_doors(self):
        for path, header in (("rpc/a.c", "event2/event.h"), ("base/disk.c", "liburing.h"), ("rpc/a.c", "gssapi/gssapi.h"),
                             ("s3tier/sign.c", "openssl/hmac.h"), ("nfs4/a.c", "rpc/xdr.h"), ("nfs4/a.c", "ctl.h"),
                             ("s3tier/list.c", "curl/curl.h"), ("s3tier/list.c", "expat.h"), ("mds/ns/a.c", "rocksdb/c.h"),
                             ("mds/conf.c", "cyaml/cyaml.h"), ("base/a.c", "cmocka.h")):
            self.refuses(rules.doors, f"{path}:2", **{path: c(f"#include <{header}>")})

    def test_quotes(self):
        self.refuses(rules.quotes, "base/a.c:2", **{"base/a.c": c('#include "loop.h"')})
        self.refuses(rules.quotes, "base/a.c:2", **{"base/a.c": c("#include <base/loop.h>")})

    def test_readmes(self):
        self.refuses(rules.readmes, "mds/README.md", **{"mds/README.md": None})
        self.refuses(rules.readmes, "mds/README.md", **{"mds/README.md": "line\n" * 21})
        self.refuses(rules.readmes, "mds/op/README.md", **{f"mds/op/{i}.c": c("int a;") for i in range(10)})

    def test_mirror(self):
        lost = "tests/unit/base/test_lost.c"
        self.refuses(rules.mirror, lost, **{lost: c()})
        self.accepts(rules.mirror, **{"tests/unit/base/test_fh.c": c()})

    def test_scenarios(self):
        path = "tests/scenario/mute.c"
        self.refuses(rules.scenarios, f"{path}:2", **{path: c("#include <cmocka.h>")})

    def test_sizes(self):
        self.refuses(rules.sizes, "base/a.c", **{"base/a.c": c(*["int x;"] * 500)})
        self.refuses(rules.sizes, "base/a.c:2", **{"base/a.c": c("void f(void)", "{", *["        f();"] * 68, "}")})
        self.accepts(rules.sizes, **{"base/a.c": c("void f(void)", "{", *["        f();"] * 67, "}")})
        self.refuses(rules.sizes, "tests/a.py:1", **{"tests/a.py": "def f():\n" + "    f()\n" * 70 + "\nf()\n"})

    def test_columns(self):
        self.refuses(rules.columns, "base/a.c:2", **{"base/a.c": c("/* " + "a" * 106 + " */")})

    def test_whitespace(self):
        for text in ("\ta\n", "a \n", "a", "a\n\n"):
            self.assertEqual(len(broken(rules.whitespace, **{"docs/a.md": text})), 1, repr(text))

    def test_licenses(self):
        self.refuses(rules.licenses, "base/a.c:1", **{"base/a.c": "int x;\n"})
        self.refuses(rules.licenses, "demo:1", demo="#!/bin/sh\ntrue\n")

    def test_operations(self):
        docs, table = "docs/RFC8881.md", {"ds/ops.c": c("        [OP_READ] = &op_read,")}
        row = "| READ, WRITE | 18.22 | `ds/op/read.c` | {} | none |\n"
        for shown in ("scenario open_is_refused", "unit base.test_loop_twice, scenario open_is_refused (E1, E2)",
                      "unit base"):
            self.accepts(rules.operations, **{docs: row.format(shown), **table})
        for shown in ("", "scenario open_is_not", "unit base.test_loop, scenario open_is_refused", "client lost", "by eye"):
            self.refuses(rules.operations, f"{docs}:1", **{docs: row.format(shown), **table})
        self.refuses(rules.operations, "ds/ops.c:2", **{docs: "# empty\n", **table})

    def test_words(self):
        for line in ("/* TO" "DO */", "#if 0", 'open("/ho' 'me/someone/file");'):
            self.refuses(rules.words, "base/a.c:2", **{"base/a.c": c(line)})

    def test_calls(self):
        self.refuses(rules.calls, "base/a.c:2", **{"base/a.c": c("        sprintf(a, b);")})
        self.refuses(rules.calls, "ds/a.c:2", **{"ds/a.c": c("        usleep(10);")})
        self.accepts(rules.calls, **{"cli/a.c": c("        nanosleep(&wait, NULL); /* as a person would */")})
        self.accepts(rules.calls, **{"ds/a.c": c("        /* rand() */", "        s->sleep(1);", '        f("gets(");')})


if __name__ == "__main__":
    unittest.main()
