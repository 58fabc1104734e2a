/* A program's description: the Slicer execution model's XML, read into plain structs.
 *
 * The XML is the only place where options are written down; parsing, --help, Slicer's panel and the
 * tests all use it. The accepted language is that of SlicerExecutionModel's parser (the elements
 * and attributes it knows, nothing else), reduced to the parameter types listed in
 * cli_description.c. */
#ifndef PROMPTSEG_CLI_DESCRIPTION_H
#define PROMPTSEG_CLI_DESCRIPTION_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one value of a parameter looks like on the command line. */
typedef enum cli_kind {
    CLI_INTEGER,
    CLI_REAL,
    CLI_STRING,
    CLI_BOOLEAN,        /* a switch without value */
    CLI_INTEGER_VECTOR, /* comma-separated */
    CLI_REAL_VECTOR,
    CLI_STRING_VECTOR,
    CLI_POINT,  /* x,y,z */
    CLI_REGION, /* cx,cy,cz,rx,ry,rz, and nine more when rotated */
    CLI_PATH    /* image, file, directory, pointfile, geometry, transform, table */
} cli_kind;

typedef struct cli_parameter {
    char *element; /* XML element: "integer", "pointfile", "string-enumeration" ... */
    cli_kind kind;
    char *name;
    char *flag;      /* one character without the dash, or NULL */
    char *long_flag; /* without the dashes, or NULL */
    char **aliases;  /* further flags and long flags, without dashes */
    size_t alias_count;
    char *description;
    char *label;
    char *default_text; /* NULL: none */
    char *file_extensions;
    char **choices; /* enumerations only */
    size_t choice_count;
    int multiple;
    int is_output; /* channel output */
    int is_return; /* no flag and no index: written to --returnparameterfile */
    int index;     /* position on the command line, -1: none */
    int has_minimum, has_maximum;
    double minimum, maximum;
    size_t group;
} cli_parameter;

typedef struct cli_group {
    char *label;
    char *description;
    int advanced;
} cli_group;

typedef struct cli_tool {
    char *category, *title, *description, *version, *documentation_url, *license, *contributor;
    cli_group *groups;
    size_t group_count;
    cli_parameter *parameters; /* in the XML's order */
    size_t parameter_count;
} cli_tool;

/* Reads `size` bytes of XML. No network, no entities, no DTD; at most 1 MiB. On success *out is the
 * caller's (cli_tool_free) and 0 is returned; on failure CLI_EXIT_USAGE with cli_last_message()
 * naming the line, what was wanted and what was found. Fields that the XML leaves out are empty
 * strings unless said otherwise above. */
int cli_tool_parse(const void *xml, size_t size, cli_tool **out);

void cli_tool_free(cli_tool *tool);

/* Version of the XML library, "2.9.14"; static storage. */
const char *cli_description_library(void);

/* The parameter called `name`, or NULL. */
const cli_parameter *cli_tool_find(const cli_tool *tool, const char *name);

#ifdef __cplusplus
}
#endif
#endif
