/* SPDX-License-Identifier: Apache-2.0 */
/* What S3 sends is read; what it never sends is refused: DOCTYPEs, depth, endless texts, halves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "s3tier/xml.h"

static char told[4096];

static bool note(void *arg, const char *path, const char *text, size_t length)
{
        size_t used = strlen(told);

        if (length > 100)
                return true;
        assert_int_equal(strlen(text), length);
        snprintf(told + used, sizeof told - used, "%s=%s;", path, text);
        return arg == NULL || strcmp(path, arg) != 0;
}

static bool read_text(const char *text, const char *refused)
{
        told[0] = '\0';
        return xml_read(text, strlen(text), note, (void *)refused);
}

static void test_elements_in_order_without_namespaces(void **state)
{
        (void)state;
        assert_true(read_text("<a xmlns:s=\"urn:x\"><s:b>1 &lt; 2</s:b><c/> t <b>x<![CDATA[<y>]]></b></a>",
                              NULL));
        assert_string_equal(told, "a/b=1 < 2;a/c=;a/b=x<y>;a=;");
}

static void test_blanks_before_the_document(void **state)
{
        (void)state;
        assert_true(read_text(" \n\n  <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a/>", NULL));
        assert_string_equal(told, "a=;");
}

static void test_what_is_not_whole_is_refused(void **state)
{
        static const char *const texts[] = { "",      "  ",         "x",        "<a>",      "<a></b>",
                                             "<a/>x", "<a>&b;</a>", "<a/><b/>", "<a b=c/>", "\xff<a/>" };

        (void)state;
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
                assert_false(read_text(texts[i], NULL));
}

static void test_a_doctype_is_refused(void **state)
{
        (void)state;
        assert_false(read_text("<!DOCTYPE a><a/>", NULL));
        assert_false(read_text("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", NULL));
        assert_string_equal(told, "");
}

static void test_depth_and_lengths_have_an_end(void **state)
{
        static char text[3 * XML_TEXT_BYTES];

        (void)state;
        assert_true(read_text("<a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a>", NULL));
        assert_false(read_text("<a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a>", NULL));
        snprintf(text, sizeof text, "<a>%0*d</a>", XML_TEXT_BYTES - 1, 0);
        assert_true(xml_read(text, strlen(text), note, "b"));
        snprintf(text, sizeof text, "<a>%0*d</a>", XML_TEXT_BYTES, 0);
        assert_false(xml_read(text, strlen(text), note, "b"));
        snprintf(text, sizeof text, "<a%0*d/>", XML_PATH_BYTES, 0);
        assert_false(xml_read(text, strlen(text), note, "b"));
}

static void test_the_reader_may_refuse(void **state)
{
        (void)state;
        assert_false(read_text("<a><b/><c/></a>", "a/b"));
        assert_string_equal(told, "a/b=;");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_elements_in_order_without_namespaces),
                cmocka_unit_test(test_blanks_before_the_document),
                cmocka_unit_test(test_what_is_not_whole_is_refused),
                cmocka_unit_test(test_a_doctype_is_refused),
                cmocka_unit_test(test_depth_and_lengths_have_an_end),
                cmocka_unit_test(test_the_reader_may_refuse),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
