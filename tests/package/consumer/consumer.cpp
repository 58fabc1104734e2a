// consumer MODEL: what consumer.c does, with objects and exceptions.
#include <segmodel/segmodel.hpp>

#include <cstdio>
#include <vector>

namespace
{

// A missing file is an exception with the library's status and message.
bool says_what_is_missing(const sgm::context &context)
{
    try {
        sgm::model model(context, "/no/such/file.safetensors");
    } catch (const sgm::error &e) {
        return e.status() != SGM_OK && std::string(e.what()).find("/no/such") != std::string::npos;
    }
    return false;
}

// One object in a volume of four slices, painted into labels of another type.
bool segments_a_volume(const sgm::model &model)
{
    constexpr int side = 32, slices = 4;
    std::vector<std::int16_t> voxels(side * side * slices, 40);
    for (std::size_t n = 0; n < voxels.size(); n++)
        if (n / side % side > 8 && n % side > 8) voxels[n] = 900;
    sgm_volume volume{};
    volume.data = voxels.data();
    volume.type = SGM_VOXEL_I16;
    volume.channels = 1;
    for (int a = 0; a < 3; a++) {
        volume.size[a] = a == 2 ? slices : side;
        volume.matrix[a][a] = a == 2 ? 3 : 1;
    }
    sgm::live_volume live(model, volume);
    const sgm_seed seed{{16, 16, 1}, SGM_FOREGROUND};
    sgm_object object{};
    object.seeds = &seed;
    object.seed_count = 1;
    double done = 0;
    sgm::call call;
    call.progress = [&](double fraction, const char *) { done = fraction; };
    const sgm_live_result found = live.predict(7, object, call);
    std::vector<std::uint32_t> labels(voxels.size());
    live.paint(7, labels.data(), SGM_VOXEL_U32, 90000);
    std::int64_t painted = 0;
    for (std::uint32_t label : labels)
        painted += label == 90000;
    return found.slice_count >= 1 && painted == found.voxels && done == 1;
}

} // namespace

int main(int argc, char **argv)
try {
    constexpr int side = 64;
    if (argc != 2) return 1;
    std::vector<std::uint8_t> pixels(side * side, 40);
    sgm_image image{};
    image.data = pixels.data();
    image.width = image.height = side;
    image.channels = 1;
    sgm::context context;
    sgm::model model(context, argv[1], "lite_medsam");
    sgm::session session(model);
    session.set_image(image);
    sgm_point point{32, 24, SGM_FOREGROUND};
    sgm_prompt prompt{};
    prompt.points = &point;
    prompt.point_count = 1;
    sgm_mask mask = session.predict(prompt);
    sgm::picture picture(model);
    picture.set_image(image);
    const sgm_mask seen = picture.predict(prompt);
    bool right = seen.width == side && mask.width == side && mask.height == side &&
                 mask.data[0] <= 1 && segments_a_volume(model);
    return right && says_what_is_missing(context) ? 0 : 1;
} catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
