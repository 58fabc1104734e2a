/* Scenes of 3D Slicer: the XML, and the transforms above each node. No file is opened. */
#include "fuzz_result.h"

#include "scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_scene scene;
    double matrix[16];
    sgio_status status = sgio_scene_parse("fuzz.mrml", (const char *)data, size, &scene);
    for (size_t i = 0; i < scene.count && status == SGIO_OK; i++)
        status = sgio_scene_to_world(&scene, &scene.nodes[i], matrix);
    fuzz_refused = status != SGIO_OK;
    sgio_scene_clear(&scene);
    return 0;
}
