/* SPDX-License-Identifier: Apache-2.0 */
/* The XML that S3 answers with, read as a sequence of elements that end (expat behind it). Bounded: depth,
 * text and path lengths; documents with a DOCTYPE are refused, so there are no entities but XML's own five.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { XML_PATH_BYTES = 128, XML_TEXT_BYTES = 8192, XML_DEPTH = 8 };

/* At the end of each element: PATH is the names from the root without namespaces,
 * "ListBucketResult/Contents/Key"; TEXT (LENGTH bytes and a NUL) what stood in it, "" for one that holds
 * elements. False ends the reading: an error. */
typedef bool xml_element_fn(void *arg, const char *path, const char *text, size_t length);

/* Read a whole document; blanks before it are skipped, as S3 sends them while it works. False: it is not
 * well-formed, out of bounds, or ELEMENT refused. Elements that were well-formed have been told by then. */
bool xml_read(const char *document, size_t length, xml_element_fn *element, void *arg);
