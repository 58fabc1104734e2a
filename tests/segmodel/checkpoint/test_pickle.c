/* The pickle reader: values of all protocols, and refusals that name opcode and position. */
#include "byte_builder.h"
#include "check.h"
#include "checkpoint/pickle.h"

/* A literal with zero bytes, as pointer and length. */
#define BYTES(literal) literal, sizeof(literal) - 1

static const sgm_pickle_value *root_of(const sgm_pickle *p)
{
    return &p->values[p->root];
}

static const sgm_pickle_value *item(const sgm_pickle *p, const sgm_pickle_value *container, int n)
{
    uint32_t cell = container->items.first;
    while (n-- > 0)
        cell = p->cells[cell].next;
    return &p->values[p->cells[cell].value];
}

/* One value per opcode, in a list. */
static void plain_values_are_read(void)
{
    sgm_pickle p;
    if (!CHECK_OK(sgm_pickle_parse(BYTES("\x80\x02](K\xffM\1\2J\xff\xff\xff\xff\x8a\2\0\xff"
                                         "G\x40\x04\0\0\0\0\0\0\x88\x89NX\2\0\0\0hiU\1s"
                                         "\x8a\x09\0\0\0\0\0\0\0\0\1)}e."),
                                   &p)))
        return;
    const sgm_pickle_value *list = root_of(&p);
    CHECK(list->kind == SGM_PICKLE_LIST && list->items.count == 13);
    CHECK(item(&p, list, 0)->integer == 255);
    CHECK(item(&p, list, 1)->integer == 513);
    CHECK(item(&p, list, 2)->integer == -1);
    CHECK(item(&p, list, 3)->integer == -256);
    CHECK(item(&p, list, 4)->kind == SGM_PICKLE_FLOAT && item(&p, list, 4)->real == 2.5);
    CHECK(item(&p, list, 5)->kind == SGM_PICKLE_BOOL && item(&p, list, 5)->integer == 1);
    CHECK(item(&p, list, 6)->kind == SGM_PICKLE_BOOL && item(&p, list, 6)->integer == 0);
    CHECK(item(&p, list, 7)->kind == SGM_PICKLE_NONE);
    CHECK(item(&p, list, 8)->kind == SGM_PICKLE_STRING && item(&p, list, 8)->text.length == 2);
    CHECK(item(&p, list, 9)->kind == SGM_PICKLE_STRING);
    CHECK(item(&p, list, 10)->kind == SGM_PICKLE_OPAQUE); /* wider than 64 bits */
    CHECK(item(&p, list, 11)->kind == SGM_PICKLE_TUPLE && item(&p, list, 11)->items.count == 0);
    CHECK(item(&p, list, 12)->kind == SGM_PICKLE_DICT);
    sgm_pickle_free(&p);
}

/* Whatever a function of torch._utils that is not read is called with, it makes a tensor. */
static void what_rebuilds_is_a_tensor(void)
{
    sgm_pickle p;
    if (!CHECK_OK(sgm_pickle_parse(BYTES("\x80\2ctorch._utils\n_rebuild_meta_tensor\n)R."), &p)))
        return;
    CHECK(root_of(&p)->kind == SGM_PICKLE_OPAQUE && root_of(&p)->opaque.of_tensor);
    sgm_pickle_free(&p);
    if (!CHECK_OK(sgm_pickle_parse(BYTES("\x80\2cmine._utils\n_rebuild_meta_tensor\n)R."), &p)))
        return;
    CHECK(root_of(&p)->kind == SGM_PICKLE_OPAQUE && !root_of(&p)->opaque.of_tensor);
    sgm_pickle_free(&p);
}

static void memo_marks_and_tuples_work(void)
{
    sgm_pickle p;
    if (!CHECK_OK(sgm_pickle_parse(BYTES("\x80\x04\x95\0\0\0\0\0\0\0\0K\1\x94K\2K\3\x87q\5"
                                         "h\0h\5\x86(K\7K\10t\x86."),
                                   &p)))
        return;
    const sgm_pickle_value *pair = root_of(&p);
    CHECK(pair->kind == SGM_PICKLE_TUPLE && pair->items.count == 2);
    const sgm_pickle_value *inner = item(&p, pair, 0);
    CHECK(inner->items.count == 2 && item(&p, inner, 0)->integer == 1);
    CHECK(item(&p, inner, 1)->items.count == 3);
    CHECK(item(&p, item(&p, pair, 1), 1)->integer == 8);
    sgm_pickle_free(&p);
}

/* Names beyond the list, called and filled: values that are passed over, by the name they have. */
static const struct {
    const char *what, *bytes;
    size_t size;
    const char *name;
    bool of_tensor;
} opaque[] = {
    {"os.system called", BYTES("\x80\2cos\nsystem\nX\2\0\0\0id\x85R."), "os.system", false},
    {"eval", BYTES("\x80\2c__builtin__\neval\n."), "__builtin__.eval", false},
    {"class", BYTES("\x80\2cmodels.unet\nUNet\n)\x81}b."), "models.unet.UNet", false},
    {"class by STACK_GLOBAL", BYTES("\x80\4\x8c\2os\x8c\6system\x93."), "os.system", false},
    {"NEWOBJ_EX", BYTES("\x80\4cm\nC\n)}\x92."), "m.C", false},
    {"prefix of a known name", BYTES("\x80\2ctorch\nFloatStorag\n."), "torch.FloatStorag", false},
    {"escape in a name", BYTES("\x80\2cos\n\x1b[2J\n."), "os.?[2J", false},
    {"a list of its own", BYTES("\x80\2cm\nL\n)\x81(K\1K\2eK\3a."), "m.L", false},
    {"a dict of its own", BYTES("\x80\2cm\nD\n)\x81(K\1K\2uK\3K\4s."), "m.D", false},
    {"set", BYTES("\x80\2cbuiltins\nset\n](K\1K\2e\x85R."), "builtins.set", false},
    {"module of a whole model", BYTES("\x80\2(X\6\0\0\0modulecm\nC\nNNtQ)\x81."), "m.C", false},
    {"storage of an unknown class",
     BYTES("\x80\2ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagecm\nS\nX\1\0\0\0"
           "0X\3\0\0\0cpuK\1tQK\0))\x89NtR."),
     "m.S", true},
    {"tensor of a type that is not read",
     BYTES("\x80\2ctorch._utils\n_rebuild_parameter\n(ctorch._utils\n_rebuild_tensor_v2\n"
           "((X\7\0\0\0storagectorch\nComplexFloatStorage\nX\1\0\0\0"
           "0X\3\0\0\0cpuK\1tQK\0))\x89NtR\x88NtR."),
     "torch.ComplexFloatStorage", true},
    {"a call that takes a tensor's storage",
     BYTES("\x80\2cm\nf\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
           "0X\3\0\0\0cpuK\1tQK\0tR."),
     "m.f", true},
};

static void other_names_are_opaque(void)
{
    for (size_t i = 0; i < sizeof opaque / sizeof *opaque; i++) {
        sgm_pickle p;
        char name[200];
        sgm_status status = sgm_pickle_parse(opaque[i].bytes, opaque[i].size, &p);
        if (!check_that(status == SGM_OK, opaque[i].what, __FILE__, __LINE__)) continue;
        const sgm_pickle_value *v = root_of(&p);
        bool right = v->kind == SGM_PICKLE_OPAQUE && v->opaque.of_tensor == opaque[i].of_tensor &&
                     !strcmp(sgm_pickle_name_text(&p, v->opaque.name, name), opaque[i].name);
        check_that(right, opaque[i].what, __FILE__, __LINE__);
        sgm_pickle_free(&p);
    }
}

/* What comes behind STOP is another's. */
static void a_pickle_says_where_it_ends(void)
{
    sgm_pickle p;
    if (!CHECK_OK(sgm_pickle_parse(BYTES("\x80\2K\1.rest"), &p))) return;
    CHECK(p.size == 5);
    sgm_pickle_free(&p);
}

/* A list that holds itself, and a dict as its own value: legal pickles that must not recurse. */
static void cycles_are_harmless(void)
{
    sgm_pickle p;
    if (CHECK_OK(sgm_pickle_parse(BYTES("\x80\x02]q\0h\0a."), &p))) sgm_pickle_free(&p);
    if (CHECK_OK(sgm_pickle_parse(BYTES("\x80\x02}q\0X\1\0\0\0ah\0s."), &p))) sgm_pickle_free(&p);
}

/* The beginnings of calls: of a tensor of eight bytes but its type, and of a subclass. */
#define OF_BYTES                                                                                   \
    "\x80\2ctorch._utils\n_rebuild_tensor_v3\n((X\7\0\0\0storagectorch.storage\nUntypedStorage\n"  \
    "X\1\0\0\0"                                                                                    \
    "0X\3\0\0\0cpuK\x08tQK\0K\4\x85K\1\x85\x89N"
#define OF_TYPE_FUNCTION "ctorch._tensor\n_rebuild_from_type_v2\n"
#define OF_TYPE "\x80\2" OF_TYPE_FUNCTION

static const struct {
    const char *what, *bytes;
    size_t size;
    const char *message;
} rejects[] = {
    {"empty", BYTES(""), "byte 0: not a pickle"},
    {"no protocol", BYTES("N."), "byte 0: not a pickle"},
    {"protocol 1", BYTES("\x80\1N."), "protocol 1"},
    {"protocol 6", BYTES("\x80\6N."), "protocol 6"},
    {"no stop", BYTES("\x80\2N"), "byte 3: the pickle is cut off"},
    {"nothing to stop with", BYTES("\x80\2."), "byte 2: the stack is empty"},
    {"text opcode", BYTES("\x80\2I1\n."), "byte 2: opcode 0x49"},
    {"INST", BYTES("\x80\2(ios\nsystem\n."), "byte 3: opcode 0x69"},
    {"EXT1", BYTES("\x80\2\x82\1."), "opcode 0x82"},
    {"persistent id as text", BYTES("\x80\2Pid\n."), "opcode 0x50"},
    {"NEWOBJ_EX of nothing", BYTES("\x80\4)}\x92."), "stack is empty"},
    {"NEWOBJ_EX of a known class", BYTES("\x80\2ccollections\nOrderedDict\n)}\x92."),
     "named arguments"},
    {"out-of-band buffer", BYTES("\x80\5\x97."), "opcode 0x97"},
    {"STACK_GLOBAL of numbers", BYTES("\x80\4K\1K\2\x93."), "no string"},
    {"LONG4 longer than the file", BYTES("\x80\2\x8b\xff\xff\xff\x7f\1."), "a text of"},
    {"persistent module of five", BYTES("\x80\2(X\6\0\0\0modulecm\nC\nNNNtQ."), "persistent id"},
    {"storage of an unknown class in a tensor's place",
     BYTES("\x80\2ctorch._utils\n_rebuild_tensor_v2\n(cm\nC\n)R"
           "K\0))\x89NtR."),
     "without a storage"},
    {"global cut off", BYTES("\x80\2cos\nsystem"), "cut off"},
    {"text longer than the file", BYTES("\x80\2X\xff\xff\xff\xffhi."), "4294967295 bytes"},
    {"64-bit text", BYTES("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xffhi."), "a text of"},
    {"number cut off", BYTES("\x80\2J\1\2"), "cut off"},
    {"memo never set", BYTES("\x80\2h\7."), "memo number 7"},
    {"huge memo number", BYTES("\x80\2Nr\xff\xff\xff\xff."), "memo number 4294967295"},
    {"memo of nothing", BYTES("\x80\2q\0."), "stack is empty"},
    {"no mark", BYTES("\x80\2K\1t."), "no mark"},
    {"pop through a mark", BYTES("\x80\2K\1(\x85."), "stack is empty"},
    {"pop of nothing",
     BYTES("\x80\2"
           "0."),
     "stack is empty"},
    {"odd dict", BYTES("\x80\2}(K\1u."), "key without its value"},
    {"append to a dict", BYTES("\x80\2}K\1a."), "no list"},
    {"set item of a list", BYTES("\x80\2]K\1K\2s."), "no dict"},
    {"set item of a number", BYTES("\x80\2K\1K\1K\2s."), "no dict"},
    {"call of a number", BYTES("\x80\2K\1)R."), "no function"},
    {"call with a list", BYTES("\x80\2ccollections\nOrderedDict\n]R."), "no function"},
    {"call of a storage class", BYTES("\x80\2ctorch\nFloatStorage\n)R."), "storage class"},
    {"OrderedDict of a number", BYTES("\x80\2ccollections\nOrderedDict\nK\1\x85R."),
     "list of pairs"},
    {"OrderedDict of singles", BYTES("\x80\2ccollections\nOrderedDict\n]K\1a\x85R."),
     "list of pairs"},
    {"Size of a number", BYTES("\x80\2ctorch\nSize\nK\1\x85R."), "torch.Size"},
    {"BUILD on a list", BYTES("\x80\2]}b."), "BUILD"},
    {"persistent number", BYTES("\x80\2K\1Q."), "persistent id"},
    {"persistent module", BYTES("\x80\2(X\6\0\0\0moduleNNNNtQ."), "persistent id"},
    {"storage of a function",
     BYTES("\x80\2(X\7\0\0\0storageccollections\nOrderedDict\nX\1\0\0\0"
           "0X\3\0\0\0cpuK\1tQ."),
     "persistent id"},
    {"negative storage",
     BYTES("\x80\2(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
           "0X\3\0\0\0cpuJ\xff\xff\xff\xfftQ."),
     "persistent id"},
    {"tensor of nothing", BYTES("\x80\2ctorch._utils\n_rebuild_tensor_v2\n)R."),
     "without a storage"},
    {"tensor of a number", BYTES("\x80\2ctorch._utils\n_rebuild_tensor_v2\n(K\1K\0))\x89NtR."),
     "without a storage"},
    {"tensor of bytes and nothing", BYTES("\x80\2ctorch._utils\n_rebuild_tensor_v3\n)R."),
     "a tensor without a storage"},
    {"tensor of bytes of a number", BYTES(OF_BYTES "K\7tR."), "a tensor that is no type's"},
    {"tensor of bytes of a function", BYTES(OF_BYTES "ctorch\nSize\ntR."), "a tensor that is no"},
    {"subclass of a number", BYTES(OF_TYPE "K\1\x85R."), "without its function and arguments"},
    {"subclass of no arguments", BYTES(OF_TYPE "(" OF_TYPE_FUNCTION "cm\nC\nK\1}tR."),
     "without its function and arguments"},
    {"subclass made by a dict", BYTES(OF_TYPE "(ccollections\nOrderedDict\ncm\nC\n)}tR."),
     "whose function makes no tensor"},
    {"subclass made by itself", BYTES(OF_TYPE "(" OF_TYPE_FUNCTION "cm\nC\n)}tR."),
     "whose function makes no tensor"},
    {"call of a type", BYTES("\x80\2ctorch\nuint16\n)R."), "a call of uint16, which is no function"},
    {"parameter of a number", BYTES("\x80\2ctorch._utils\n_rebuild_parameter\nK\1\x88N\x87R."),
     "parameter without a tensor"},
};

static void anything_else_is_refused(void)
{
    for (size_t i = 0; i < sizeof rejects / sizeof *rejects; i++) {
        sgm_pickle p;
        /* A heap block of the exact size lets the sanitizers see overreads. */
        char *copy = malloc(rejects[i].size + 1);
        memcpy(copy, rejects[i].bytes, rejects[i].size);
        check_status(sgm_pickle_parse(copy, rejects[i].size, &p), SGM_BAD_MODEL, rejects[i].message,
                     rejects[i].what, __FILE__, __LINE__);
        free(copy);
    }
}

/* What costs an interpreter depth or memory must end in an error or a cheap success. */
static void bombs_are_bounded(void)
{
    enum { SIZE = 8 << 20 };
    sgm_pickle p;
    char *bytes = malloc(SIZE);
    memset(bytes, '(', SIZE);
    memcpy(bytes, "\x80\2", 2);
    CHECK_STATUS(sgm_pickle_parse(bytes, SIZE, &p), SGM_BAD_MODEL, "more than 1048576 values");
    memset(bytes + 2, ']', SIZE - 2);
    CHECK_STATUS(sgm_pickle_parse(bytes, SIZE, &p), SGM_BAD_MODEL, "more than 1048576 values");
    memset(bytes + 2, '2', SIZE - 2);
    bytes[2] = 'N';
    CHECK_STATUS(sgm_pickle_parse(bytes, SIZE, &p), SGM_BAD_MODEL, "more than 1048576 values");
    memset(bytes + 2, '\x85', SIZE - 2); /* ((((...)))): tuples nested a million deep */
    bytes[2] = 'N';
    bytes[500002] = '.';
    if (CHECK_OK(sgm_pickle_parse(bytes, 500003, &p))) sgm_pickle_free(&p);
    free(bytes);
    bytes = calloc(1, (16 << 20) + 1);
    CHECK_STATUS(sgm_pickle_parse(bytes, (16 << 20) + 1, &p), SGM_BAD_MODEL, "at most");
    free(bytes);
}

int main(void)
{
    plain_values_are_read();
    what_rebuilds_is_a_tensor();
    memo_marks_and_tuples_work();
    cycles_are_harmless();
    other_names_are_opaque();
    a_pickle_says_where_it_ends();
    anything_else_is_refused();
    bombs_are_bounded();
    return check_report();
}
