--- The highlight groups of ghost text: as legible as a comment, in every colour scheme.
---
--- Ghost text looks like `Comment` where that is legible. Where a scheme's comments are fainter
--- than the Web Content Accessibility Guidelines ask of text, it gets their colour, moved towards
--- that of normal text until it is legible. Both groups are defaults, which users override.
local M = {}

--- The least contrast of text with its background.
M.LEAST_CONTRAST = 4.5

local BASE = 'Comment'
local STEPS = 20 -- between the two colours

--- Splits an RGB number.
local function channels(colour)
  return { math.floor(colour / 65536) % 256, math.floor(colour / 256) % 256, colour % 256 }
end

--- Relative luminance, from 0 to 1.
local function luminance(colour)
  local sum = 0
  for index, weight in ipairs({ 0.2126, 0.7152, 0.0722 }) do
    local value = channels(colour)[index] / 255
    sum = sum + weight * (value <= 0.03928 and value / 12.92 or ((value + 0.055) / 1.055) ^ 2.4)
  end
  return sum
end

--- The contrast of two colours, from 1 to 21, as WCAG 2 defines it.
---@param one integer An RGB number.
---@param other integer
---@return number
function M.contrast(one, other)
  local a, b = luminance(one), luminance(other)
  return (math.max(a, b) + 0.05) / (math.min(a, b) + 0.05)
end

--- Mixes two colours.
---@param share number Of the second, from 0 to 1.
local function mix(one, other, share)
  local a, b = channels(one), channels(other)
  local out = 0
  for index = 1, 3 do
    out = out * 256 + math.floor(a[index] + (b[index] - a[index]) * share + 0.5)
  end
  return out
end

local function resolved(name)
  return vim.api.nvim_get_hl(0, { name = name, link = false })
end

--- What ghost text looks like in the current colour scheme.
---@return vim.api.keyset.highlight
local function ghost_look()
  local comment, normal = resolved(BASE), resolved('Normal')
  local is_known = comment.fg and normal.fg and normal.bg
  if not is_known or M.contrast(comment.fg, normal.bg) >= M.LEAST_CONTRAST then
    return { link = BASE }
  end
  for step = 1, STEPS do
    local colour = mix(comment.fg, normal.fg, step / STEPS)
    if M.contrast(colour, normal.bg) >= M.LEAST_CONTRAST or step == STEPS then
      return {
        fg = colour,
        italic = comment.italic,
        ctermfg = comment.ctermfg,
        cterm = comment.cterm,
      }
    end
  end
  return { link = BASE }
end

--- What was defined last, by group.
---@type table<string, vim.api.keyset.get_hl_info>
local defined = {}

---@return vim.api.keyset.get_hl_info
local function current(name)
  local look = vim.api.nvim_get_hl(0, { name = name })
  look.default = nil -- gone after `:highlight clear`
  return look
end

--- Defines a group, unless the user has.
local function define(name, look)
  local now = current(name)
  local is_new = next(now) == nil
  local is_restored = vim.deep_equal(now, { link = BASE }) -- as `:highlight clear` leaves it
  if is_new or is_restored or vim.deep_equal(now, defined[name]) then
    vim.api.nvim_set_hl(0, name, vim.tbl_extend('force', look, { default = is_new }))
    defined[name] = current(name)
  end
end

local function define_all()
  define('ParrotletGhost', ghost_look())
  -- Drawn above ParrotletGhost, so the number of an alternative has the colour of its text.
  define('ParrotletHint', { italic = true, cterm = { italic = true } })
end

--- Defines the groups, now and whenever the colours change.
function M.setup()
  define_all()
  local group = vim.api.nvim_create_augroup('parrotlet.highlight', {})
  vim.api.nvim_create_autocmd('ColorScheme', { group = group, callback = define_all })
  vim.api.nvim_create_autocmd('OptionSet', {
    group = group,
    pattern = 'background',
    callback = vim.schedule_wrap(define_all),
  })
end

return M
