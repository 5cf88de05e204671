/* SPDX-License-Identifier: Apache-2.0 */
/* Run a command line inside the test and keep what it prints. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static char cli_out[65536], cli_err[65536];

static void capture_read(FILE *file, char *text)
{
        size_t length;

        rewind(file);
        length = fread(text, 1, sizeof cli_out - 1, file);
        text[length] = '\0';
        fclose(file);
}

/* LINE is split at blanks; "nacre" is put before. */
static int run_cli(const char *line)
{
        char copy[4096], *argv[64] = { (char *)"nacre" }, *save;
        FILE *out = tmpfile(), *err = tmpfile();
        int argc = 1, saved_out, saved_err, status;

        snprintf(copy, sizeof copy, "%s", line);
        for (char *word = strtok_r(copy, " ", &save); word && argc < 63; word = strtok_r(NULL, " ", &save))
                argv[argc++] = word;
        fflush(NULL);
        saved_out = dup(1);
        saved_err = dup(2);
        dup2(fileno(out), 1);
        dup2(fileno(err), 2);
        status = cli_main(argc, argv);
        fflush(NULL);
        dup2(saved_out, 1);
        dup2(saved_err, 2);
        close(saved_out);
        close(saved_err);
        capture_read(out, cli_out);
        capture_read(err, cli_err);
        return status;
}
