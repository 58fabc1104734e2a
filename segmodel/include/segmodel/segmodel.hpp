// segmodel for C++17: handles owned by objects, exceptions instead of statuses. For images
//
//     sgm::context context;
//     sgm::model model(context, "promptseg-lite.safetensors");
//     sgm::picture picture(model);
//     picture.set_image(image);
//     sgm_point point{320, 240, SGM_FOREGROUND};
//     sgm_prompt prompt{};
//     prompt.points = &point;
//     prompt.point_count = 1;
//     sgm_mask mask = picture.predict(prompt);   // valid until the picture's next call
//
// and for volumes
//
//     sgm::live_volume live(model, volume);      // the voxels stay the caller's
//     sgm_live_result found = live.predict(1, object);
//     live.paint(1, labels, SGM_VOXEL_U8, 1);
//
// Header only; everything it does is in segmodel.h and volume.h, which document it. Handles can be
// moved, not copied. A function<> given to a call must not throw.
#ifndef SEGMODEL_SEGMODEL_HPP
#define SEGMODEL_SEGMODEL_HPP

#include "segmodel/volume.h"

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace sgm
{

// What a failing call throws: the status and the library's message.
class error : public std::runtime_error
{
  public:
    explicit error(sgm_status code) : std::runtime_error(sgm_last_message()), code_(code) {}
    sgm_status status() const noexcept { return code_; }

  private:
    sgm_status code_;
};

inline void check(sgm_status code)
{
    if (code != SGM_OK) throw error(code);
}

class context
{
  public:
    explicit context(const sgm_context_options &options = sgm_context_options{})
    {
        sgm_context *made = nullptr;
        check(sgm_context_create(&options, &made));
        handle_.reset(made);
    }
    sgm_context *get() const noexcept { return handle_.get(); }
    std::string device() const { return sgm_context_device(get()); }

  private:
    struct destroy {
        void operator()(sgm_context *c) const noexcept { sgm_context_destroy(c); }
    };
    std::unique_ptr<sgm_context, destroy> handle_;
};

class model
{
  public:
    model(const context &on, const std::string &path, const std::string &variant = "auto")
    {
        sgm_model *made = nullptr;
        check(sgm_model_load(on.get(), path.c_str(), variant.c_str(), &made));
        handle_.reset(made);
    }
    sgm_model *get() const noexcept { return handle_.get(); }
    sgm_model_info info() const
    {
        sgm_model_info info;
        sgm_model_get_info(get(), &info);
        return info;
    }

  private:
    struct destroy {
        void operator()(sgm_model *m) const noexcept { sgm_model_destroy(m); }
    };
    std::unique_ptr<sgm_model, destroy> handle_;
};

// What goes with one call: callbacks on the thread of the call.
struct call {
    std::function<bool()> cancel;                       // true ends the call
    std::function<void(double, const char *)> progress; // 0 .. 1, a short phrase
    std::function<void(const char *)> warning;          // a sentence for the user

    sgm_call raw() const
    {
        sgm_call c = sgm_call_init();
        void *self = const_cast<call *>(this);
        if (cancel)
            c.cancel = [](void *user) {
                return static_cast<int>(static_cast<call *>(user)->cancel());
            };
        if (progress)
            c.progress = [](void *user, double fraction, const char *message) {
                static_cast<call *>(user)->progress(fraction, message);
            };
        if (warning)
            c.warning = [](void *user, const char *sentence) {
                static_cast<call *>(user)->warning(sentence);
            };
        c.cancel_user = c.progress_user = c.warning_user = self;
        return c;
    }
};

// Embeddings in a folder. Must outlive the handles whose options name it.
class store
{
  public:
    explicit store(const std::string &folder, std::uint64_t limit_bytes = 0)
    {
        check(sgm_store_open(folder.c_str(), limit_bytes, &store_));
    }
    ~store() { sgm_store_close(&store_); }
    store(const store &) = delete;
    store &operator=(const store &) = delete;
    const sgm_embedding_store &get() const noexcept { return store_; }

  private:
    sgm_embedding_store store_{};
};

class picture
{
  public:
    explicit picture(const model &of, const sgm_picture_options &options = sgm_picture_options{})
    {
        sgm_picture *made = nullptr;
        check(sgm_picture_create(of.get(), &options, &made));
        handle_.reset(made);
    }
    sgm_picture *get() const noexcept { return handle_.get(); }

    void set_image(const sgm_image &image) { check(sgm_picture_set_image(get(), &image)); }
    sgm_mask predict(const sgm_prompt &prompt,
                     const sgm_predict_options &options = sgm_predict_options{},
                     const call &with = call{})
    {
        sgm_mask mask;
        const sgm_call raw = with.raw();
        check(sgm_picture_predict(get(), &prompt, &options, &raw, &mask));
        return mask;
    }
    std::array<int, 4> view() const
    {
        std::array<int, 4> rectangle;
        sgm_picture_view(get(), rectangle.data());
        return rectangle;
    }

  private:
    struct destroy {
        void operator()(sgm_picture *p) const noexcept { sgm_picture_destroy(p); }
    };
    std::unique_ptr<sgm_picture, destroy> handle_;
};

class live_volume
{
  public:
    live_volume(const model &of, const sgm_volume &volume,
                const sgm_volume_options &options = sgm_volume_options_init())
    {
        sgm_live_volume *made = nullptr;
        check(sgm_live_volume_create(of.get(), &volume, &options, &made));
        handle_.reset(made);
    }
    sgm_live_volume *get() const noexcept { return handle_.get(); }

    sgm_live_result predict(std::int64_t id, const sgm_object &object, const call &with = call{})
    {
        sgm_live_result result = sgm_live_result_init();
        const sgm_call raw = with.raw();
        check(sgm_live_volume_predict(get(), id, &object, &raw, &result));
        return result;
    }
    void hold_axis(const sgm_object *objects, std::size_t count)
    {
        check(sgm_live_volume_hold_axis(get(), objects, count));
    }
    sgm_live_slice preview(std::int64_t id, const sgm_object &object, std::int64_t slice = -1,
                           const call &with = call{})
    {
        sgm_live_slice result = sgm_live_slice_init();
        const sgm_call raw = with.raw();
        check(sgm_live_volume_preview(get(), id, &object, slice, &raw, &result));
        return result;
    }
    // False when the call was cancelled, which is how it ends when a question comes.
    bool ahead(const std::array<double, 3> &place, const call &with)
    {
        const sgm_call raw = with.raw();
        const sgm_status status = sgm_live_volume_ahead(get(), place.data(), &raw);
        if (status != SGM_CANCELLED) check(status);
        return status == SGM_OK;
    }
    sgm_live_result result(std::int64_t id)
    {
        sgm_live_result result = sgm_live_result_init();
        check(sgm_live_volume_get(get(), id, &result));
        return result;
    }
    std::vector<std::uint8_t> mask(std::int64_t id, const std::array<std::int64_t, 3> &first,
                                   const std::array<std::int64_t, 3> &last)
    {
        std::size_t count = 1;
        for (int a = 0; a < 3; a++)
            count *= last[a] < first[a] ? 0 : static_cast<std::size_t>(last[a] - first[a] + 1);
        std::vector<std::uint8_t> part(count);
        if (count) check(sgm_live_volume_mask(get(), id, first.data(), last.data(), part.data()));
        return part;
    }
    void paint(std::int64_t id, void *labels, sgm_voxel type, std::int64_t value)
    {
        check(sgm_live_volume_paint(get(), id, labels, type, value));
    }
    void remove(std::int64_t id) { sgm_live_volume_remove(get(), id); }

  private:
    struct destroy {
        void operator()(sgm_live_volume *l) const noexcept { sgm_live_volume_destroy(l); }
    };
    std::unique_ptr<sgm_live_volume, destroy> handle_;
};

class session
{
  public:
    explicit session(const model &of)
    {
        sgm_session *made = nullptr;
        check(sgm_session_create(of.get(), &made));
        handle_.reset(made);
        count_ = of.info().embedding_count;
    }
    sgm_session *get() const noexcept { return handle_.get(); }

    void set_image(const sgm_image &image) { check(sgm_session_set_image(get(), &image)); }

    std::vector<float> embedding()
    {
        std::vector<float> values(count_);
        check(sgm_session_get_embedding(get(), values.data()));
        return values;
    }
    void set_embedding(const std::vector<float> &values, int width, int height)
    {
        if (values.size() != count_) throw std::invalid_argument("embedding of another size");
        check(sgm_session_set_embedding(get(), values.data(), width, height));
    }
    std::uint64_t input_hash(const sgm_image &image)
    {
        std::uint64_t hash = 0;
        check(sgm_session_input_hash(get(), &image, &hash));
        return hash;
    }

    sgm_mask predict(const sgm_prompt &prompt,
                     const sgm_predict_options &options = sgm_predict_options{})
    {
        sgm_mask mask;
        check(sgm_session_predict(get(), &prompt, &options, &mask));
        return mask;
    }
    std::vector<sgm_mask> predict(const std::vector<sgm_prompt> &prompts,
                                  const sgm_predict_options &options = sgm_predict_options{})
    {
        std::vector<sgm_mask> masks(prompts.size());
        check(sgm_session_predict_many(get(), prompts.data(), prompts.size(), &options,
                                       masks.data()));
        return masks;
    }

  private:
    struct destroy {
        void operator()(sgm_session *s) const noexcept { sgm_session_destroy(s); }
    };
    std::unique_ptr<sgm_session, destroy> handle_;
    std::size_t count_ = 0;
};

} // namespace sgm

#endif
