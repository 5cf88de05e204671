/* SPDX-License-Identifier: Apache-2.0 */
/* A long random walk of names, opens and crashes answers as a small model of a POSIX tree does, and the store
 * is whole at every stop. RFC 8881 §18.2, §18.4, §18.9, §18.13, §18.16, §18.25, §18.26. LAB_SEED=N tries
 * another walk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lab/mds_lab.h"

enum { NAMES = 6, NODES = 48, OPENS = 8, STEPS = 10000, STEPS_BETWEEN_CRASHES = 1700 };

struct node {
        bool used, dir;
        uint32_t links;   /* names */
        int parent;       /* directories */
        int child[NAMES]; /* -1: none */
        struct user_fh fh;
};
struct opened {
        int node; /* -1: none */
        struct stateid stateid;
};

static struct mds_lab lab;
static struct user u;
static struct node nodes[NODES]; /* 0 is the root */
static struct opened opens[OPENS];
static uint64_t dice;
static const char *const names[NAMES] = { "a", "b", "c", "d", "e", "f" };

static int below(int n)
{
        return (int)lab_random_below(&dice, (uint64_t)n);
}

static int new_node(bool dir, const struct user_fh *fh)
{
        for (int i = 0; i < NODES; i++)
                if (!nodes[i].used) {
                        nodes[i] = (struct node){ .used = true, .dir = dir, .fh = *fh };
                        for (int n = 0; n < NAMES; n++)
                                nodes[i].child[n] = -1;
                        return i;
                }
        return -1;
}

static bool room(void)
{
        for (int i = 0; i < NODES; i++)
                if (!nodes[i].used)
                        return true;
        return false;
}

static bool is_open(int node)
{
        for (int i = 0; i < OPENS; i++)
                if (opens[i].node == node)
                        return true;
        return false;
}

static bool empty(int dir)
{
        for (int n = 0; n < NAMES; n++)
                if (nodes[dir].child[n] >= 0)
                        return false;
        return true;
}

static int random_dir(void)
{
        for (;;) {
                int i = below(NODES);

                if (nodes[i].used && nodes[i].dir)
                        return i;
        }
}

static void release(int node)
{
        if (nodes[node].links == 0 && !is_open(node))
                nodes[node].used = false;
}

static void put(int dir, int name, int node)
{
        nodes[dir].child[name] = node;
        nodes[node].links++;
        if (nodes[node].dir)
                nodes[node].parent = dir;
}

static void take(int dir, int name)
{
        int node = nodes[dir].child[name];

        nodes[dir].child[name] = -1;
        nodes[node].links--;
        release(node);
}

/* --- steps */

static void step_make(bool dir)
{
        int d = random_dir(), n = below(NAMES), there = nodes[d].child[n];
        struct user_fh fh;
        enum nfsstat4 status;

        if (!room())
                return;
        status = dir ? user_mkdir(&u, &nodes[d].fh, names[n], 0755, &fh)
                     : user_touch(&u, &nodes[d].fh, names[n], 0644, &fh);
        assert_int_equal(status, there >= 0 ? NFS4ERR_EXIST : NFS4_OK);
        if (there < 0)
                put(d, n, new_node(dir, &fh));
}

static void step_link(void)
{
        int d = random_dir(), n = below(NAMES), i = below(NODES);
        enum nfsstat4 expected = NFS4_OK;

        if (!nodes[i].used)
                return;
        if (nodes[i].dir)
                expected = NFS4ERR_ISDIR;
        else if (nodes[d].child[n] >= 0)
                expected = NFS4ERR_EXIST;
        else if (nodes[i].links == 0)
                expected = NFS4ERR_NOENT;
        assert_int_equal(user_link(&u, &nodes[i].fh, &nodes[d].fh, names[n]), expected);
        if (expected == NFS4_OK)
                put(d, n, i);
}

static void step_remove(void)
{
        int d = random_dir(), n = below(NAMES), there = nodes[d].child[n];
        enum nfsstat4 expected = NFS4_OK;

        if (there < 0)
                expected = NFS4ERR_NOENT;
        else if (nodes[there].dir && !empty(there))
                expected = NFS4ERR_NOTEMPTY;
        assert_int_equal(user_remove(&u, &nodes[d].fh, names[n]), expected);
        if (expected == NFS4_OK)
                take(d, n);
}

static bool inside(int dir, int ancestor)
{
        while (dir != ancestor && dir != 0)
                dir = nodes[dir].parent;
        return dir == ancestor;
}

static enum nfsstat4 expect_rename(int from, int moved, int to, int victim)
{
        if (moved < 0)
                return NFS4ERR_NOENT;
        if (moved == victim)
                return NFS4_OK;
        if (nodes[moved].dir && from != to && inside(to, moved))
                return NFS4ERR_INVAL;
        if (victim < 0)
                return NFS4_OK;
        if (nodes[moved].dir != nodes[victim].dir)
                return NFS4ERR_EXIST;
        return nodes[victim].dir && !empty(victim) ? NFS4ERR_NOTEMPTY : NFS4_OK;
}

static void step_rename(void)
{
        int from = random_dir(), to = random_dir(), a = below(NAMES), b = below(NAMES);
        int moved = nodes[from].child[a], victim = nodes[to].child[b];
        enum nfsstat4 expected = expect_rename(from, moved, to, victim);

        assert_int_equal(user_rename(&u, &nodes[from].fh, names[a], &nodes[to].fh, names[b]), expected);
        if (expected != NFS4_OK || moved == victim)
                return;
        if (victim >= 0)
                take(to, b);
        nodes[from].child[a] = -1;
        nodes[moved].links--;
        put(to, b, moved);
}

static void step_open(void)
{
        int d = random_dir(), n = below(NAMES), there = nodes[d].child[n], slot = below(OPENS);
        struct user_open o = USER_OPEN();
        char owner[8];

        if (opens[slot].node >= 0)
                return;
        snprintf(owner, sizeof(owner), "%d", slot);
        o.owner = owner;
        assert_int_equal(user_open(&u, &nodes[d].fh, names[n], &o), there < 0          ? NFS4ERR_NOENT
                                                                    : nodes[there].dir ? NFS4ERR_ISDIR
                                                                                       : NFS4_OK);
        if (there >= 0 && !nodes[there].dir)
                opens[slot] = (struct opened){ there, o.stateid };
}

static void step_close(void)
{
        int slot = below(OPENS), node = opens[slot].node;

        if (node < 0)
                return;
        assert_int_equal(user_close(&u, &nodes[node].fh, &opens[slot].stateid), NFS4_OK);
        opens[slot].node = -1;
        release(node);
}

static void step_look(void)
{
        int d = random_dir(), n = below(NAMES), there = nodes[d].child[n];
        struct user_fh fh;
        struct user_attrs a;
        uint32_t links = 0;

        assert_int_equal(user_lookup(&u, &nodes[d].fh, names[n], &fh), there < 0 ? NFS4ERR_NOENT : NFS4_OK);
        if (there < 0)
                return;
        assert_memory_equal(&fh, &nodes[there].fh, sizeof(fh));
        assert_int_equal(user_getattr(&u, &fh, &a), NFS4_OK);
        if (nodes[there].dir)
                for (int i = 0; i < NAMES; i++)
                        links += nodes[there].child[i] >= 0 && nodes[nodes[there].child[i]].dir;
        assert_int_equal(a.links, nodes[there].dir ? 2 + links : nodes[there].links);
}

static void crash(void)
{
        mds_lab_restart(&lab, true);
        user_start(&u, &lab, "client", 1, 0, 0);
        for (int i = 0; i < OPENS; i++) {
                int node = opens[i].node;

                opens[i].node = -1;
                if (node >= 0)
                        release(node);
        }
}

static void step(void)
{
        switch (below(14)) {
        case 0:
        case 1: step_make(true); break;
        case 2:
        case 3: step_make(false); break;
        case 4: step_link(); break;
        case 5: step_remove(); break;
        case 6:
        case 7:
        case 8: step_rename(); break;
        case 9: step_open(); break;
        case 10: step_close(); break;
        default: step_look();
        }
}

static void walk(void **state)
{
        struct user_fh root;

        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        root = user_root(&u);
        memset(nodes, 0, sizeof(nodes));
        for (int i = 0; i < OPENS; i++)
                opens[i].node = -1;
        nodes[new_node(true, &root)].links = 1;
        for (int i = 1; i <= STEPS; i++) {
                step();
                if (i % STEPS_BETWEEN_CRASHES == 0)
                        crash();
        }
        mds_lab_stop(&lab); /* and fsck */
}

static void walks(void **state)
{
        const char *seed = getenv("LAB_SEED");

        for (uint64_t i = 1; i <= (seed ? 1 : 4); i++) {
                dice = seed ? strtoull(seed, NULL, 10) : i;
                walk(state);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(walks) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
