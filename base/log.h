/* SPDX-License-Identifier: Apache-2.0 */
/* Structured log: one line an event, to stderr; with the journal's level prefix when stderr is the journal.
 *   time=2026-01-02T03:04:05.678Z level=info program=nacre-mds event=ds-joined name=ds1 addr=192.0.2.11:2049
 * Keys and the event are literals; values are printf forms, quoted when they are empty or hold blanks,
 * quotes, '=' or control bytes, so that no value can pass for another key or another line. Thread-safe. */
#pragma once

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
extern const char *const log_level_names[]; /* by level, NULL at the end */

/* Before there are threads. PROGRAM is kept. */
void log_open(const char *program, enum log_level threshold);
/* From then on; for a reload. */
void log_set_threshold(enum log_level threshold);
/* log_event(LOG_INFO, "ds-joined", "name=%s addr=%s:%u", name, host, port): FORMAT is key=value pairs parted
 * by single blanks; a value may be several conversions and is quoted as a whole when it needs it.
 * Conversions: d i u x X o c s p f g e m %, with flags, width, precision and length; no n, no $. Lines are
 * cut at 2 KiB. */
void log_event(enum log_level level, const char *event, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
#define log_error(event, ...) log_event(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_event(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_event(LOG_DEBUG, event, __VA_ARGS__)
