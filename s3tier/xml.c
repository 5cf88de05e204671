/* SPDX-License-Identifier: Apache-2.0 */
#include "s3tier/xml.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

struct reader {
        XML_Parser parser;
        xml_element_fn *element;
        void *arg;
        bool failed;
        char path[XML_PATH_BYTES];
        size_t path_length, before[XML_DEPTH]; /* the path's length before each open element */
        unsigned depth;
        char text[XML_TEXT_BYTES];
        size_t text_length;
};

static void fail(struct reader *r)
{
        r->failed = true;
        XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
        struct reader *r = arg;
        const char *colon = strrchr(name, ':');
        size_t length;

        (void)attributes;
        name = colon ? colon + 1 : name;
        length = strlen(name);
        if (r->failed)
                return;
        if (r->depth == XML_DEPTH || r->path_length + 1 + length >= sizeof(r->path)) {
                fail(r);
                return;
        }
        r->before[r->depth++] = r->path_length;
        if (r->path_length > 0)
                r->path[r->path_length++] = '/';
        memcpy(r->path + r->path_length, name, length + 1);
        r->path_length += length;
        r->text_length = 0;
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int length)
{
        struct reader *r = arg;

        if (r->failed)
                return;
        if (r->text_length + (size_t)length >= sizeof(r->text)) {
                fail(r);
                return;
        }
        memcpy(r->text + r->text_length, text, (size_t)length);
        r->text_length += (size_t)length;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
        struct reader *r = arg;

        (void)name;
        if (r->failed)
                return;
        r->text[r->text_length] = '\0';
        if (!r->element(r->arg, r->path, r->text, r->text_length)) {
                fail(r);
                return;
        }
        r->path_length = r->before[--r->depth];
        r->path[r->path_length] = '\0';
        r->text_length = 0; /* what stands between elements is nobody's */
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int has_internal_subset)
{
        (void)name, (void)system, (void)public, (void)has_internal_subset;
        fail(arg);
}

bool xml_read(const char *document, size_t length, xml_element_fn *element, void *arg)
{
        struct reader r = { .element = element, .arg = arg };
        bool good;

        while (length > 0 && strchr(" \t\r\n", *document) && *document)
                document++, length--;
        if (length == 0 || length > INT_MAX)
                return false;
        r.parser = XML_ParserCreate(NULL);
        if (!r.parser)
                return false;
        XML_SetUserData(r.parser, &r);
        XML_SetElementHandler(r.parser, on_start, on_end);
        XML_SetCharacterDataHandler(r.parser, on_text);
        XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
        good = XML_Parse(r.parser, document, (int)length, XML_TRUE) == XML_STATUS_OK && !r.failed;
        XML_ParserFree(r.parser);
        return good;
}
