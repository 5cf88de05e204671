/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre repo add|set|pause|resume|reload|remove`. What a repo is stands in its file, which is written here;
 * the server says where, tries the bucket out with its own keys, and takes the file up. */
#include <errno.h>
#include <string.h>

#include "base/admin.h"
#include "base/check.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/repo_file.h"
#include "mds/tier/repo_conf.h"
#include "s3tier/probe.h"

enum { FILE_PATH = 4096, CELL = 1104 };

/* FOLDER/NAME.yaml at the server. */
static bool find_file(const struct cli_args *args, const char *name, char path[FILE_PATH])
{
        CLEANUP_FREE char *body = cli_ask(args, "repo-list", "");
        char folder[FILE_PATH - 128];
        struct json root;

        if (!body)
                return false;
        if (!json_parse(body, &root) || !*json_member_text(root, "folder", folder, sizeof folder))
                return cli_error("the server's configuration has no `repos`; add a line like\n"
                                 "    repos: /etc/nacre/repos.d\n"
                                 "to its file, make that directory, and restart it"),
                       false;
        snprintf(path, FILE_PATH, "%s/%s.yaml", folder, name);
        return true;
}

/* Is TEXT a repo's file? What is wrong with it is told. */
static bool is_right(const char *name, const char *text)
{
        char file[REPO_NAME_LENGTH + 8], error[1024];
        struct repo_conf conf;

        snprintf(file, sizeof file, "%s.yaml", name);
        if (repo_conf_load_text(file, text, strlen(text), &conf, error, sizeof error) < 0)
                return cli_usage_error("%s", error), false;
        repo_conf_free(&conf);
        return true;
}

static char *with_settings(const struct cli_args *args, char *text)
{
        for (unsigned i = 0; i < args->setting_count; i++)
                text = repo_file_with(text, args->settings[i].key, args->settings[i].value);
        return text;
}

static bool write_file(const char *path, const char *text)
{
        int status = repo_file_write(path, text);

        if (status < 0)
                cli_error("%s: %s; it is written where the server reads it: run this there, as who may", path,
                          strerror(-status));
        return status == 0;
}

/* The server takes NAME's file up; else the file becomes what it was, BEFORE or none. */
static int load(const struct cli_args *args, const char *name, const char *path, const char *before)
{
        CLEANUP_FREE char *body = cli_ask(args, "repo-load", name);

        if (body)
                return CLI_OK;
        if (before)
                write_file(path, before);
        else
                unlink(path);
        return CLI_FAILED;
}

/* --- add */

static void print_abilities(struct json root)
{
        char name[CELL], answer[CELL];
        struct json list, a;

        if (!json_member(root, "abilities", &list))
                return;
        for (bool more = json_first(list, &a); more; more = json_next(&a))
                printf("%-36s%s\n", json_member_text(a, "name", name, sizeof name),
                       json_member_text(a, "answer", answer, sizeof answer));
}

static bool is_able(struct json root, enum s3_ability ability)
{
        char name[CELL], answer[CELL];
        struct json list, a;

        if (!json_member(root, "abilities", &list))
                return false;
        for (bool more = json_first(list, &a); more; more = json_next(&a))
                if (strcmp(json_member_text(a, "name", name, sizeof name), s3_ability_names[ability]) == 0)
                        return strcmp(json_member_text(a, "answer", answer, sizeof answer), "yes") == 0;
        return false;
}

/* Can the bucket do what the repo is for? */
static bool is_usable(const char *text, const char *answer)
{
        char error[CELL] = "", message[CELL] = "";
        struct json root, trouble;
        struct repo_conf conf;
        bool exports, reads, writes;

        if (!json_parse(answer, &root) || repo_conf_load_text("", text, strlen(text), &conf, error, CELL) < 0)
                return false;
        exports = conf.export != 0;
        repo_conf_free(&conf);
        reads = json_true(root, "reads");
        writes = json_true(root, "writes");
        if (reads)
                print_abilities(root);
        if (reads && (writes || !exports)) {
                if (!writes)
                        puts("the bucket cannot be written with these keys: nothing can be exported to it");
                return true;
        }
        if (json_member(root, "trouble", &trouble)) {
                json_member_text(trouble, "error", error, sizeof error);
                json_member_text(trouble, "message", message, sizeof message);
        }
        cli_error("the server cannot %s this bucket: %s: %s; nothing was linked", reads ? "write to" : "read",
                  error, message);
        return false;
}

static bool has_setting(const struct cli_args *args, const char *key)
{
        for (unsigned i = 0; i < args->setting_count; i++)
                if (strcmp(args->settings[i].key, key) == 0)
                        return true;
        return false;
}

/* NAME, a newline, TEXT: what the server is asked before anything is written. What it has found out goes into
 * TEXT, unless somebody has said otherwise. */
static bool check(const struct cli_args *args, const char *name, char **text)
{
        CLEANUP_FREE char *question = NULL, *answer = NULL;
        struct json root;

        CHECK(asprintf(&question, "%s\n%s", name, *text) > 0);
        answer = cli_ask(args, "repo-check", question);
        if (!answer || !is_usable(*text, answer))
                return false;
        if (!json_parse(answer, &root) || has_setting(args, "checksum"))
                return true;
        if (is_able(root, S3_CAN_CRC64NVME))
                *text = repo_file_with(*text, "checksum", "md5+crc64nvme");
        else if (is_able(root, S3_CAN_CRC32C))
                *text = repo_file_with(*text, "checksum", "md5+crc32c");
        return true;
}

static const char *name_of(const struct cli_args *args)
{
        const char *slash = strrchr(args->operand, '/');

        return args->name ? args->name : slash ? slash + 1 : args->operand;
}

int cmd_repo_add(const struct cli_args *args)
{
        static const char head[] =
                "# Written by `nacre repo add`. docs/examples/repos.d/train.yaml says what each key means.\n";
        const char *name = name_of(args);
        CLEANUP_FREE char *text = strdup(head);
        char path[FILE_PATH];

        CHECK(text != NULL);
        text = repo_file_with(text, "path", args->operand);
        text = repo_file_with(text, "url", args->second);
        text = with_settings(args, text);
        if (!repo_name_is_right(name))
                return cli_usage_error(
                        "'%s' is no name of a repo; allowed: --name with up to 64 letters, digits, "
                        "'_', '-' and '.'",
                        name);
        if (!is_right(name, text))
                return CLI_USAGE;
        if (!find_file(args, name, path) || !check(args, name, &text))
                return CLI_FAILED;
        if (access(path, F_OK) == 0)
                return cli_error(
                        "%s is there already; allowed: another --name, or `nacre repo reload %s` to have "
                        "the server take it up",
                        path, name);
        if (!write_file(path, text) || load(args, name, path, NULL) != CLI_OK)
                return CLI_FAILED;
        printf("%s is linked to %s as the repo %s; its file is %s\n", args->operand, args->second, name,
               path);
        return CLI_OK;
}

/* --- change */

static int change(const struct cli_args *args)
{
        CLEANUP_FREE char *before = NULL, *text = NULL;
        char path[FILE_PATH];

        if (!repo_name_is_right(args->operand))
                return cli_usage_error("'%s' is no name of a repo; allowed: one that `nacre repo list` shows",
                                       args->operand);
        if (!find_file(args, args->operand, path))
                return CLI_FAILED;
        before = repo_file_read(path);
        if (!before)
                return cli_error(
                        "%s: %s; allowed: a repo that `nacre repo list` shows, from where its file can "
                        "be written",
                        path, strerror(errno));
        text = strdup(before);
        CHECK(text != NULL);
        text = with_settings(args, text);
        if (!is_right(args->operand, text))
                return CLI_USAGE;
        return write_file(path, text) ? load(args, args->operand, path, before) : CLI_FAILED;
}

int cmd_repo_set(const struct cli_args *args)
{
        if (args->setting_count == 0)
                return cli_usage_error("repo set: nothing is to be set; allowed: --import, --export, … as "
                                       "`nacre repo show %s` lists them",
                                       args->operand);
        return change(args);
}

static int set_paused(const struct cli_args *args, const char *value)
{
        struct cli_args with = *args;

        with.settings[with.setting_count++] = (struct cli_setting){ "paused", value };
        return change(&with);
}

int cmd_repo_pause(const struct cli_args *args)
{
        return set_paused(args, "yes");
}

int cmd_repo_resume(const struct cli_args *args)
{
        return set_paused(args, "no");
}

int cmd_repo_reload(const struct cli_args *args)
{
        CLEANUP_FREE char *body = cli_ask(args, "repo-load", args->operand);

        return body ? CLI_OK : CLI_FAILED;
}

/* --- remove */

int cmd_repo_remove(const struct cli_args *args)
{
        CLEANUP_FREE char *question = NULL, *body = NULL;
        char path[FILE_PATH];

        CHECK(asprintf(&question, "%s%s", args->force ? "force " : "", args->operand) > 0);
        if (!find_file(args, args->operand, path))
                return CLI_FAILED;
        body = cli_ask(args, "repo-remove", question);
        if (!body)
                return CLI_FAILED;
        if (unlink(path) < 0 && errno != ENOENT)
                return cli_error("%s: %s; remove this file, or the repo is back after a restart", path,
                                 strerror(errno));
        printf("%s is unlinked; its files stay, and so does the bucket\n", args->operand);
        return CLI_OK;
}
