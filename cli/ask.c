/* SPDX-License-Identifier: Apache-2.0 */
/* From the options of a command to the answer of the metadata server. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/http.h"

void cli_socket_path(const struct cli_args *args, char *out, size_t out_bytes)
{
        const char *from_environment = getenv("NACRE_SOCKET");

        if (args->socket)
                snprintf(out, out_bytes, "%s", args->socket);
        else if (args->dir)
                snprintf(out, out_bytes, "%s/run/mds.sock", args->dir);
        else if (from_environment && *from_environment)
                snprintf(out, out_bytes, "%s", from_environment);
        else
                snprintf(out, out_bytes, "/run/nacre/mds.sock");
}

static const char *hint(int error)
{
        switch (error) {
        case ENOENT:
        case ECONNREFUSED:
        case ECONNRESET: return "; is the server running? --socket PATH or --dir DIR names another";
        case EACCES: return "; only its own user and root may";
        default: return "";
        }
}

char *cli_ask(const struct cli_args *args, const char *command, const char *body)
{
        struct http_answer answer = { 0 };
        char path[4096], name[128], why[1024];
        struct json root;
        int status;

        cli_socket_path(args, path, sizeof path);
        snprintf(name, sizeof name, "/v1/%s", command);
        status = http_ask(path, name, body, &answer);
        if (status < 0) {
                cli_error("cannot talk to %s: %s%s", path, strerror(-status), hint(-status));
                return NULL;
        }
        if (answer.status == 200 && json_parse(answer.body, &root))
                return answer.body;
        if (json_parse(answer.body, &root) && *json_member_text(root, "error", why, sizeof why))
                cli_error("%s", why);
        else
                cli_error("%s answers %d, which %s does not understand", path, answer.status, command);
        free(answer.body);
        return NULL;
}

void cli_print_json(struct json value)
{
        printf("%.*s\n", (int)json_length(value), value.at);
}

int cli_print_list(const struct cli_args *args, const char *command, const char *body, const char *member,
                   const char *header, void (*each)(struct json))
{
        CLEANUP_FREE char *answer = cli_ask(args, command, body);
        struct json root, list, one;

        if (!answer || !json_parse(answer, &root) || !json_member(root, member, &list))
                return CLI_FAILED;
        if (args->json) {
                cli_print_json(list);
                return CLI_OK;
        }
        if (!json_first(list, &one)) {
                printf("no %s\n", member);
                return CLI_OK;
        }
        fputs(header, stdout);
        for (bool more = true; more; more = json_next(&one))
                each(one);
        return CLI_OK;
}
