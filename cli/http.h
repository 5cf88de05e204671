/* SPDX-License-Identifier: Apache-2.0 */
/* One request to a daemon's admin socket; waits for the answer. */
#pragma once

struct http_answer {
        int status;
        char *body; /* malloc'd, NUL-terminated */
};

/* GET PATH, or POST it when BODY is not NULL. 0, or -errno: -ENOENT and -ECONNREFUSED: nobody is there. */
int http_ask(const char *socket_path, const char *path, const char *body, struct http_answer *ret);
