/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"

enum { LINE_BYTES = 2048, VALUE_BYTES = 1024, SPEC_BYTES = 32 };

const char *const log_level_names[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug", NULL,
};
/* sd-daemon(3): the journal takes a line's priority from "<N>" at its start. */
static const char *const journal_prefixes[] = {
        [LOG_ERROR] = "<3>",
        [LOG_WARN] = "<4>",
        [LOG_INFO] = "<6>",
        [LOG_DEBUG] = "<7>",
};

static struct {
        const char *program;
        atomic_int threshold; /* enum log_level */
        bool is_journal;
} log_state = { .program = NULL, .threshold = LOG_INFO };

/* Text that grows up to its ceiling; what does not fit is cut. */
struct text {
        char *data;
        size_t used, limit;
};

static void put(struct text *t, const char *data, size_t length)
{
        size_t room = t->limit - t->used;

        if (length > room)
                length = room;
        memcpy(t->data + t->used, data, length);
        t->used += length;
}

static void put_string(struct text *t, const char *s)
{
        put(t, s, strlen(s));
}

static void __attribute__((format(printf, 2, 3))) put_format(struct text *t, const char *format, ...)
{
        char piece[VALUE_BYTES];
        va_list args;
        int length;

        va_start(args, format);
        length = vsnprintf(piece, sizeof piece, format, args);
        va_end(args);
        if (length > 0)
                put(t, piece, (size_t)length < sizeof piece ? (size_t)length : sizeof piece - 1);
}

static bool needs_quotes(const struct text *t)
{
        if (t->used == 0)
                return true;
        for (size_t i = 0; i < t->used; i++) {
                unsigned char c = (unsigned char)t->data[i];

                if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
                        return true;
        }
        return false;
}

static void put_value(struct text *line, const struct text *value)
{
        if (!needs_quotes(value)) {
                put(line, value->data, value->used);
                return;
        }
        put(line, "\"", 1);
        for (size_t i = 0; i < value->used; i++) {
                unsigned char c = (unsigned char)value->data[i];

                if (c == '"' || c == '\\')
                        put_format(line, "\\%c", c);
                else if (c < ' ' || c == 0x7f)
                        put_format(line, "\\x%02x", c);
                else
                        put(line, (const char *)&c, 1);
        }
        put(line, "\"", 1);
}

/* One conversion, split: TEXT is "%", flags, width and precision, each '*' replaced by its argument. */
struct spec {
        char text[SPEC_BYTES];
        size_t used;
        int longs; /* -2 hh, -1 h, 0, 1 l, 2 ll, 3 j, 4 z, 5 t */
        char conversion;
};

static void spec_add(struct spec *s, const char *text)
{
        size_t length = strlen(text);

        CHECK(s->used + length + 4 < sizeof s->text); /* formats are literals of ours */
        memcpy(s->text + s->used, text, length + 1);
        s->used += length;
}

static const char *parse_length(const char *p, struct spec *s)
{
        for (;; p++)
                switch (*p) {
                case 'h': s->longs--; break;
                case 'l': s->longs++; break;
                case 'j': s->longs = 3; break;
                case 'z': s->longs = 4; break;
                case 't': s->longs = 5; break;
                default: return p;
                }
}

/* P is behind a '%'; returns what follows the conversion. va_list by pointer: the caller goes on with it. */
static const char *parse_spec(const char *p, struct spec *s, va_list *args)
{
        char piece[16];

        *s = (struct spec){ .text = "%", .used = 1 };
        for (; *p && strchr("-+ #0123456789.*", *p); p++) {
                snprintf(piece, sizeof piece, "%c", *p);
                if (*p == '*')
                        snprintf(piece, sizeof piece, "%d", va_arg(*args, int));
                spec_add(s, piece);
        }
        p = parse_length(p, s);
        CHECK(*p != '\0');
        s->conversion = *p;
        return p + 1;
}

static intmax_t take_signed(int longs, va_list *args)
{
        switch (longs) {
        case 1: return va_arg(*args, long);
        case 2: return va_arg(*args, long long);
        case 3: return va_arg(*args, intmax_t);
        case 4: return va_arg(*args, ssize_t);
        case 5: return va_arg(*args, ptrdiff_t);
        case -1: return (short)va_arg(*args, int);
        case -2: return (signed char)va_arg(*args, int);
        default: return va_arg(*args, int);
        }
}

static uintmax_t take_unsigned(int longs, va_list *args)
{
        switch (longs) {
        case 1: return va_arg(*args, unsigned long);
        case 2: return va_arg(*args, unsigned long long);
        case 3: return va_arg(*args, uintmax_t);
        case 4: return va_arg(*args, size_t);
        case 5: return (uintmax_t)va_arg(*args, ptrdiff_t);
        case -1: return (unsigned short)va_arg(*args, unsigned);
        case -2: return (unsigned char)va_arg(*args, unsigned);
        default: return va_arg(*args, unsigned);
        }
}

/* The format is put together here, piece by piece, from a literal that the compiler checked at the call. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void put_conversion(struct text *value, struct spec *s, va_list *args, int error)
{
        char last[3] = { 'j', s->conversion, '\0' };

        switch (s->conversion) {
        case 'd':
        case 'i':
                spec_add(s, last);
                put_format(value, s->text, take_signed(s->longs, args));
                break;
        case 'u':
        case 'x':
        case 'X':
        case 'o':
                spec_add(s, last);
                put_format(value, s->text, take_unsigned(s->longs, args));
                break;
        case 'f':
        case 'g':
        case 'e':
                spec_add(s, last + 1);
                put_format(value, s->text, va_arg(*args, double));
                break;
        case 'c': put_format(value, "%c", va_arg(*args, int)); break;
        case 's':
                spec_add(s, last + 1);
                put_format(value, s->text, va_arg(*args, const char *));
                break;
        case 'p': put_format(value, "%p", va_arg(*args, void *)); break;
        case 'm': put_string(value, strerror(error)); break;
        default:
                CHECK(s->conversion == '%');
                put(value, "%", 1);
                break;
        }
}
#pragma GCC diagnostic pop

/* Copy "key=" and return what follows it. */
static const char *put_key(struct text *line, const char *p)
{
        const char *end = strchr(p, '=');

        CHECK(end != NULL);
        put(line, " ", 1);
        put(line, p, (size_t)(end + 1 - p));
        return end + 1;
}

static void put_pairs(struct text *line, const char *p, va_list *args, int error)
{
        while (*p) {
                char data[VALUE_BYTES];
                struct text value = { data, 0, sizeof data };

                p = put_key(line, p);
                while (*p && *p != ' ')
                        if (*p == '%') {
                                struct spec spec;

                                p = parse_spec(p + 1, &spec, args);
                                put_conversion(&value, &spec, args, error);
                        } else {
                                put(&value, p++, 1);
                        }
                put_value(line, &value);
                while (*p == ' ')
                        p++;
        }
}

static void put_head(struct text *line, enum log_level level, const char *event)
{
        struct timespec now;
        struct tm tm;
        char date[32];

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
        if (log_state.is_journal)
                put_string(line, journal_prefixes[level]);
        put_format(line, "time=%s.%03ldZ level=%s", date, now.tv_nsec / 1000000, log_level_names[level]);
        if (log_state.program)
                put_format(line, " program=%s", log_state.program);
        put_format(line, " event=%s", event);
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
        char data[LINE_BYTES];
        struct text line = { data, 0, sizeof data - 1 }; /* room for the newline */
        int error = errno;
        va_list args;

        if ((int)level > atomic_load_explicit(&log_state.threshold, memory_order_relaxed))
                return;
        put_head(&line, level, event);
        va_start(args, format);
        put_pairs(&line, format, &args, error);
        va_end(args);
        data[line.used++] = '\n';
        /* One write: lines of several threads do not mix. Where the log is lost nobody is left to tell. */
        if (write(STDERR_FILENO, data, line.used) < 0)
                errno = error;
        errno = error;
}

/* systemd.exec(5): $JOURNAL_STREAM names device and inode of the journal's socket. */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        char expected[64];
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        snprintf(expected, sizeof expected, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        return strcmp(stream, expected) == 0;
}

void log_open(const char *program, enum log_level threshold)
{
        log_state.program = program;
        log_state.is_journal = stderr_is_journal();
        log_set_threshold(threshold);
}

void log_set_threshold(enum log_level threshold)
{
        atomic_store_explicit(&log_state.threshold, (int)threshold, memory_order_relaxed);
}
