/* SPDX-License-Identifier: Apache-2.0 */
/* Structured log: one line an event, to stderr; with the journal's level prefix when stderr is the journal.
 *   time=2026-01-02T03:04:05.678Z level=info event=ds-joined name=ds1 addr=192.0.2.11:2049
 * Keys and the event are literals; values are printf forms, quoted when they hold blanks, quotes or control bytes.
 * Thread-safe. */
#pragma once

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_open(const char *program, enum log_level threshold);
/* Pairs: key, printf format with its arguments folded by LOGF(), ended by NULL: log_event(LOG_INFO, "ds-joined", "name=%s addr=%s", name, addr).
 * FORMAT is key=%conversion pairs parted by single blanks; each conversion's text is quoted when it needs it. */
void log_event(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define log_error(event, ...) log_event(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_event(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_event(LOG_DEBUG, event, __VA_ARGS__)
