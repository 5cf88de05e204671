/* SPDX-License-Identifier: Apache-2.0 */
/* What RocksDB is told, and why.
 *
 * The log. manual_wal_flush: a write only copies into a buffer in memory, the group's sync does one write(2)
 * and one fdatasync for all. Recovery mode is "tolerate a corrupted tail": an incomplete record at the very
 * end is what a crash in the middle of that write(2) leaves, it was never acknowledged and is dropped; any
 * other damage refuses to open. RocksDB's default, point in time, would instead stop quietly at the first bad
 * byte and drop every acknowledged record behind it. "Tail" means the tail of any log file, so a log is only
 * ever closed when it is on disk whole (rocks_rotate_log; RocksDB's own switch at write_buffer_size is set
 * out of reach), and its synced size goes into the manifest and is verified.
 *
 * Reads. Whole-key bloom filters, in the memtable too, answer for names that are not there. Blocks, indexes
 * and filters all live in the one cache, so memory has a bound.
 *
 * Deletes. Files dense with tombstones are compacted early, so that a directory that was emptied is soon as
 * fast as new. */
#include <stdio.h>

#include "mds/store/rocks.h"

enum {
        /* RocksDB keeps a log of its own doings, and as Debian builds it (with assertions) it aborts the
         * process at the first line after one that could not be written, as on a full disk. At this level it
         * writes none. */
        NO_DEBUG_LOG = 5,
        MEMTABLES = 4,
        MEMTABLE_LOGS = 4, /* a memtable takes two to three times the bytes of its log: never full before the
                              log is */
        BACKGROUND_JOBS = 2,
        L0_COMPACT = 4,
        L0_SLOWDOWN = 24,
        L0_STOP = 40,
        LEVELS = 7,
        PLAIN_LEVELS = 2, /* not compressed: written often, soon gone */
        BLOOM_BITS = 10,
        TOMBSTONE_WINDOW = 4096,
        TOMBSTONE_TRIGGER = 2048,
        FORMAT_VERSION = 5,
};
#define MIB ((uint64_t)1 << 20)

/* What the C interface has no function for. The bloom filter's size is a share of write_buffer_size, which is
 * four times what goes into a memtable: 0.5 MiB a log of 32 MiB, ten bits a key.
 *
 * Inserting into the memtable is more than half of what a create costs, and that is the search for the place.
 * For all keys that start with the same three bytes RocksDB remembers the last place and searches on from
 * there: new inodes follow each other, and the directory, whose number has a high bit (FILEID_DIRECTORY), is
 * the same again, so for both there is next to nothing to search. */
static const char more_options[] = "memtable_whole_key_filtering=true;memtable_prefix_bloom_size_ratio=0.004;"
                                   "track_and_verify_wals_in_manifest=true;"
                                   "memtable_insert_with_hint_prefix_extractor=rocksdb.FixedPrefix.3";

static void set_log(rocksdb_options_t *o, uint64_t log_bytes)
{
        rocksdb_options_set_manual_wal_flush(o, 1);
        rocksdb_options_set_wal_recovery_mode(o, rocksdb_tolerate_corrupted_tail_records_recovery);
        rocksdb_options_set_write_buffer_size(o, MEMTABLE_LOGS * log_bytes);
        rocksdb_options_set_max_total_wal_size(
                o, log_bytes + log_bytes / 4); /* all it does here: the room to reserve */
        rocksdb_options_set_max_write_buffer_number(o, MEMTABLES);
        rocksdb_options_set_allow_concurrent_memtable_write(o, 0); /* one writer: the loop */
        rocksdb_options_set_enable_write_thread_adaptive_yield(o, 0);
        rocksdb_options_set_bytes_per_sync(
                o, MIB); /* tables trickle out: a log sync never waits behind a burst */
}

static void set_levels(rocksdb_options_t *o, uint64_t log_bytes)
{
        int compression[LEVELS];

        for (int i = 0; i < LEVELS; i++)
                compression[i] = i < PLAIN_LEVELS ? rocksdb_no_compression : rocksdb_lz4_compression;
        rocksdb_options_set_num_levels(o, LEVELS);
        rocksdb_options_set_compression_per_level(o, compression, LEVELS);
        rocksdb_options_set_max_background_jobs(o, BACKGROUND_JOBS);
        rocksdb_options_set_level0_file_num_compaction_trigger(o, L0_COMPACT);
        rocksdb_options_set_level0_slowdown_writes_trigger(o, L0_SLOWDOWN);
        rocksdb_options_set_level0_stop_writes_trigger(o, L0_STOP);
        rocksdb_options_set_target_file_size_base(o, log_bytes);
        rocksdb_options_set_max_bytes_for_level_base(o, L0_COMPACT * log_bytes);
        rocksdb_options_set_max_open_files(o, -1);
        rocksdb_options_add_compact_on_deletion_collector_factory(o, TOMBSTONE_WINDOW, TOMBSTONE_TRIGGER);
}

static void set_tables(rocksdb_options_t *o, uint64_t cache_bytes)
{
        rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
        rocksdb_cache_t *cache = rocksdb_cache_create_lru(cache_bytes);

        rocksdb_block_based_options_set_block_cache(t, cache);
        rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
        rocksdb_block_based_options_set_whole_key_filtering(t, 1);
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
        rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(t, 1);
        rocksdb_block_based_options_set_index_type(
                t, rocksdb_block_based_table_index_type_two_level_index_search);
        rocksdb_block_based_options_set_partition_filters(t, 1);
        rocksdb_block_based_options_set_pin_top_level_index_and_filter(t, 1);
        rocksdb_block_based_options_set_format_version(t, FORMAT_VERSION);
        rocksdb_options_set_block_based_table_factory(o, t);
        rocksdb_block_based_options_destroy(t);
        rocksdb_cache_destroy(cache); /* the table factory holds it */
}

static void set_rest(rocksdb_options_t *o, bool read_only)
{
        rocksdb_options_set_create_if_missing(o, !read_only);
        rocksdb_options_set_paranoid_checks(o, 1);
        rocksdb_options_set_info_log_level(o, NO_DEBUG_LOG);
        rocksdb_options_set_keep_log_file_num(o, 1);
        rocksdb_options_set_stats_dump_period_sec(o, 0);
        rocksdb_options_set_stats_persist_period_sec(o, 0);
}

rocksdb_options_t *rocks_options(uint64_t cache_bytes, uint64_t log_bytes, bool read_only, char **ret_error)
{
        rocksdb_options_t *plain = rocksdb_options_create(), *all = rocksdb_options_create();

        set_log(plain, log_bytes);
        set_levels(plain, log_bytes);
        set_tables(plain, cache_bytes);
        set_rest(plain, read_only);
        rocksdb_get_options_from_string(plain, more_options, all, ret_error);
        rocksdb_options_destroy(plain);
        if (!*ret_error)
                return all;
        rocksdb_options_destroy(all);
        return NULL;
}
