/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options. */
#include <stddef.h>
#include <string.h>

#include "cli/cli.h"
#include "mds/tier/repo_conf.h"

static const struct option {
        const char *name;
        const char *value; /* NULL: a flag */
        size_t offset;     /* of a const char *, or of a bool for a flag; --ds goes to a list */
        const char *help;
} options[] = {
        { "--dir", "DIR", offsetof(struct cli_args, dir), "the directory of a dev cluster" },
        { "--mds", "ADDR[:PORT]", offsetof(struct cli_args, mds), "address of the metadata server" },
        { "--ds", "ADDR[:PORT]", 0, "address of a data server; one for each" },
        { "--exports", "FILE", offsetof(struct cli_args, exports), "export policies" },
        { "--stripe-unit", "SIZE", offsetof(struct cli_args, stripe_unit), "4K to 255M (default 1M)" },
        { "--stripe-count", "N", offsetof(struct cli_args, stripe_count),
          "data servers a file; 0 for all (default)" },
        { "--log-level", "LEVEL", offsetof(struct cli_args, log_level),
          "error, warn, info (default) or debug" },
        { "--socket", "PATH", offsetof(struct cli_args, socket),
          "the server's admin socket (default $NACRE_SOCKET)" },
        { "--json", NULL, offsetof(struct cli_args, json), "print JSON" },
        { "--name", "NAME", offsetof(struct cli_args, name),
          "the repo's name (default the path's last part)" },
        { "--force", NULL, offsetof(struct cli_args, force), "also when not all of it is here" },
        { "--KEY", "VALUE", 0, "a key of a repo's file, with '-' for '_': --import, --export, …" },
        { "--recursive", NULL, offsetof(struct cli_args, recursive), "the files below a directory" },
        { "--older", "AGE", offsetof(struct cli_args, older),
          "those that nobody has opened or changed for 30d, 12h, 45m or 90s" },
        { "--min-size", "SIZE", offsetof(struct cli_args, min_size), "those of at least 64K, 1M, …" },
        { "--match", "PATTERN", offsetof(struct cli_args, match),
          "those of such a name (*.nc) or, with a '/', path" },
        { "--dry-run", NULL, offsetof(struct cli_args, dry_run), "only count them" },
        { "--no-wait", NULL, offsetof(struct cli_args, no_wait), "do not wait for the end" },
        { "--failed", NULL, offsetof(struct cli_args, failed),
          "what has failed, which is what it does anyway" },
};
enum { OPTIONS = sizeof options / sizeof *options };

static bool is_taken(const struct cli_command *c, unsigned i)
{
        return (c->takes >> i & 1) != 0;
}

/* "; allowed: --dir DIR, --json" */
static void print_allowed(const struct cli_command *c)
{
        const char *before = "; allowed: ";

        if (c->takes == 0)
                fputs("; allowed: none", stderr);
        for (unsigned i = 0; i < OPTIONS; i++)
                if (is_taken(c, i)) {
                        fprintf(stderr, "%s%s%s%s", before, options[i].name, options[i].value ? " " : "",
                                options[i].value ? options[i].value : "");
                        before = ", ";
                }
        fputc('\n', stderr);
}

/* The option that WORD names, also as "--name=value". */
static int find_option(const struct cli_command *c, const char *word)
{
        size_t length = strcspn(word, "=");

        for (unsigned i = 0; i < OPTIONS; i++)
                if (is_taken(c, i) && 1u << i != OPT_KEY && strlen(options[i].name) == length &&
                    memcmp(options[i].name, word, length) == 0)
                        return (int)i;
        return -1;
}

static bool set_option(const struct option *o, const char *value, struct cli_args *ret)
{
        const char **text = (const char **)(void *)((char *)ret + o->offset);

        if (strcmp(o->name, "--ds") == 0) {
                if (ret->ds_count == CLI_MAX_DS)
                        return cli_usage_error("too many --ds; allowed: %d", CLI_MAX_DS), false;
                ret->ds[ret->ds_count++] = value;
                return true;
        }
        if (*text)
                return cli_usage_error("%s stands twice; allowed: once", o->name), false;
        if (*value == '\0')
                return cli_usage_error("%s needs a value: %s", o->name, o->value), false;
        *text = value;
        return true;
}

/* The key of a repo's file that WORD means, "--delete-grace" or "--delete-grace=60"; NULL. */
static const char *find_key(const struct cli_command *c, const char *word)
{
        size_t length = strcspn(word, "=");

        if (!(c->takes & OPT_KEY) || length < 3 || strncmp(word, "--", 2) != 0)
                return NULL;
        for (const struct conf_field *f = repo_conf_fields; f->key; f++) {
                size_t i = 0;

                while (f->key[i] && (word[2 + i] == f->key[i] || (word[2 + i] == '-' && f->key[i] == '_')))
                        i++;
                if (!f->key[i] && length == 2 + i)
                        return f->key;
        }
        return NULL;
}

static bool set_key(const char *word, const char *key, const char *value, struct cli_args *ret)
{
        for (unsigned i = 0; i < ret->setting_count; i++)
                if (strcmp(ret->settings[i].key, key) == 0)
                        return cli_usage_error("--%s stands twice; allowed: once", key), false;
        if (!value || ret->setting_count == CLI_MAX_SETTINGS)
                return cli_usage_error("%s needs a value", word), false;
        ret->settings[ret->setting_count++] = (struct cli_setting){ key, value };
        return true;
}

/* argv[*at] is an option; *at moves to its last word. */
static bool take_option(const struct cli_command *c, int argc, char **argv, int *at, struct cli_args *ret)
{
        const char *word = argv[*at], *equals = strchr(word, '='), *key = find_key(c, word);
        int i = find_option(c, word);

        if (key)
                return set_key(word, key, equals ? equals + 1 : ++*at < argc ? argv[*at] : NULL, ret);

        if (i < 0) {
                fprintf(stderr, "nacre %s: unknown option '%s'", c->name, word);
                print_allowed(c);
                return false;
        }
        if (!options[i].value) {
                if (equals)
                        return cli_usage_error("%s takes no value", options[i].name), false;
                *(bool *)((char *)ret + options[i].offset) = true;
                return true;
        }
        if (equals)
                return set_option(&options[i], equals + 1, ret);
        if (*at + 1 >= argc)
                return cli_usage_error("%s needs a value: %s", options[i].name, options[i].value), false;
        return set_option(&options[i], argv[++*at], ret);
}

static bool take_operand(const struct cli_command *c, const char *word, struct cli_args *ret)
{
        if (!c->operand) {
                fprintf(stderr, "nacre %s: unexpected '%s'", c->name, word);
                print_allowed(c);
                return false;
        }
        if (ret->operand && (ret->second || !strchr(c->operand, ' ')))
                return cli_usage_error("%s: unexpected '%s'; allowed: one %s", c->name, word, c->operand),
                       false;
        *(ret->operand ? &ret->second : &ret->operand) = word;
        return true;
}

static bool has_needed(const struct cli_command *c, const struct cli_args *args)
{
        for (unsigned i = 0; i < OPTIONS; i++)
                if ((c->needs >> i & 1) != 0 &&
                    !*(const char *const *)(const void *)((const char *)args + options[i].offset))
                        return cli_usage_error("%s: %s %s is missing", c->name, options[i].name,
                                               options[i].value),
                               false;
        if (c->operand && (!args->operand || (strchr(c->operand, ' ') && !args->second)))
                return cli_usage_error("%s: %s is missing", c->name, c->operand), false;
        return true;
}

bool cli_parse(const struct cli_command *c, int argc, char **argv, struct cli_args *ret)
{
        *ret = (struct cli_args){ 0 };
        for (int i = 0; i < argc; i++)
                if (argv[i][0] == '-' ? !take_option(c, argc, argv, &i, ret) : !take_operand(c, argv[i], ret))
                        return false;
        return has_needed(c, ret);
}

void cli_print_usage(const struct cli_command *c, FILE *out)
{
        for (unsigned i = 0; i < OPTIONS; i++)
                if (is_taken(c, i)) {
                        bool needed = (c->needs >> i & 1) != 0;

                        fprintf(out, " %s%s%s%s%s", needed ? "" : "[", options[i].name,
                                options[i].value ? " " : "", options[i].value ? options[i].value : "",
                                needed ? "" : "]");
                }
        if (c->operand)
                fprintf(out, " %s", c->operand);
}

void cli_print_options(const struct cli_command *c, FILE *out)
{
        for (unsigned i = 0; i < OPTIONS; i++)
                if (is_taken(c, i))
                        fprintf(out, "  %-15s%-13s%s\n", options[i].name,
                                options[i].value ? options[i].value : "", options[i].help);
}
