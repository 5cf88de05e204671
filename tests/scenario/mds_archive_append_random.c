/* SPDX-License-Identifier: Apache-2.0 */
/* A file of parts that is written, cut and renamed while S3 fails in all ways and the metadata server is
 * killed: in the end its object is what it is. */
#include "tests/scenario/append.h"

enum { SEEDS = 150, STEPS = 40, PLACES = 10 };

static uint64_t random_state, stamp;
static uint64_t size;
static const char *name;

static unsigned below(unsigned n)
{
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        return (unsigned)(random_state >> 33) % n;
}

static void rename_there(void)
{
        const char *other = name[0] == 'b' ? "new" : "big";

        assert_int_equal(user_rename(&a.u, &a.train, name, &a.train, other), NFS4_OK);
        name = other;
}

static void grow(void)
{
        size += 1 + below(3) * 8 * MIB;
        if (size > 8 * PART)
                size = 2 * PART;
        cut(size);
}

static void hear_again(void)
{
        a.bucket.silent_from = 0;
        a.bucket.silent = a.bucket.carried_out = false;
}

static void go_silent(void)
{
        a.bucket.silent_from = 1 + below(6);
        a.bucket.carried_out = below(2);
}

static void be_otherwise(void)
{
        static const int statuses[] = { 0, 0, 403, 503, 412, 404, 501 };

        a.bucket.copy_status = statuses[below(7)];
        a.bucket.heedless = below(2);
        a.bucket.wary = below(3) == 0;
}

static void crash(void)
{
        hear_again();
        archive_lab_crash(&a);
}

static void put_theirs(void)
{
        if (below(3) > 0)
                return;
        bucket_put(&a.bucket, name, "theirs");
        bucket_find(&a.bucket, name)->size = BIG;
}

static void step(void)
{
        switch (below(10)) {
        case 0: rename_there(); break;
        case 1: grow(); break;
        case 2: go_silent(); break;
        case 3: crash(); break;
        case 4: be_otherwise(); break;
        case 5: put_theirs(); break;
        default: change(below(PLACES) * 13 * MIB, ++stamp, size);
        }
        archive_lab_fileid(&a, &big); /* that this is told means that it is durable */
        seconds(below(15));
}

static void run(uint64_t seed)
{
        const struct bucket_object *o;

        random_state = seed;
        size = BIG;
        name = "big";
        setup_big(NULL);
        for (int i = 0; i < STEPS; i++)
                step();
        a.bucket.copy_status = 0;
        crash();
        change(0, ++stamp, size); /* what others have put there is looked at */
        seconds_of_use(2400);     /* what may come late keeps a name for 18 minutes */
        o = bucket_find(&a.bucket, name);
        if (!is_archived(&big) || !o || o->size != size || !bucket_is_like_file(&a.bucket, o))
                fail_msg("seed %u: the object is not the file", (unsigned)seed);
        teardown(NULL);
}

static void in_the_end_the_object_is_the_file(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
                run(seed);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(in_the_end_the_object_is_the_file) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
