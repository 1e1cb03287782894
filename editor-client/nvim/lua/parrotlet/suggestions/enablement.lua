--- Whether anything is suggested in a buffer, and who says that it is not.
---
--- Decisions are made everywhere, for a language, a workspace or a file; each that says no counts.
--- Those for workspaces are kept (`parrotlet.settings.workspace`), the others last until you leave
--- Neovim. As variables, `vim.g.parrotlet_enabled` and `vim.b.parrotlet_enabled` decide everywhere
--- and for a file.
local config = require('parrotlet.config')
local workspace = require('parrotlet.settings.workspace')

local M = {}

---@alias parrotlet.Scope 'everywhere'|'language'|'workspace'|'file'

---@type parrotlet.Scope[]
M.SCOPES = { 'everywhere', 'language', 'workspace', 'file' }

local MINUTE_MS = 60 * 1000

--- What was decided for languages, by filetype.
---@type table<string, boolean>
local languages = {}

---@type uv.uv_timer_t?
local snooze
local snoozed_until ---@type string?

--- Compiled globs, by their text.
---@type table<string, vim.lpeg.Pattern|false>
local globs = {}

--- Says whether a glob stands for a file: for its name, its path in the workspace, or all of it.
local function matches(glob, bufnr, name)
  if globs[glob] == nil then
    local is_glob, pattern = pcall(vim.glob.to_lpeg, glob)
    globs[glob] = is_glob and pattern or false
  end
  local pattern = globs[glob]
  if not pattern then
    return false
  end
  local path = vim.fs.normalize(name)
  local inside = vim.fs.relpath(workspace.root(bufnr), vim.uv.fs_realpath(path) or path)
  return pattern:match(vim.fs.basename(path)) ~= nil
    or pattern:match(path) ~= nil
    or (inside ~= nil and pattern:match(inside) ~= nil)
end

---@return string?
local function excluding_glob(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  return vim.iter(config.options.excluded_files):find(function(glob)
    return name ~= '' and matches(glob, bufnr, name)
  end)
end

local decision = {
  everywhere = function()
    return vim.g.parrotlet_enabled
  end,
  language = function(bufnr)
    return languages[vim.bo[bufnr].filetype]
  end,
  workspace = workspace.decision,
  file = function(bufnr)
    return vim.b[bufnr].parrotlet_enabled
  end,
}

local off_because = {
  everywhere = 'off (:Parrotlet enable)',
  language = 'off for this language (:Parrotlet enable language)',
  workspace = 'off in this workspace (:Parrotlet enable workspace)',
  file = 'off in this file (:Parrotlet enable file)',
}

--- Says why nothing is suggested in a buffer, however it is asked for; nil if something is.
---@param bufnr integer
---@return string?
function M.why_off(bufnr)
  local options = config.options
  if not options then
    return 'off: setup() was given a wrong option (:Parrotlet messages)'
  end
  local filetype = vim.bo[bufnr].filetype
  if not vim.list_contains(options.languages, filetype) then
    local kind = filetype ~= '' and ('"%s" files'):format(filetype) or 'files without a filetype'
    return ('off for %s (option: languages)'):format(kind)
  end
  local glob = excluding_glob(bufnr)
  if glob then
    return ('off for files matching "%s" (option: excluded_files)'):format(glob)
  end
  local is_on = options.enabled
  for _, scope in ipairs(M.SCOPES) do
    local decided = decision[scope](bufnr)
    if decided == false then
      return off_because[scope]
    end
    is_on = is_on or decided == true
  end
  if not is_on then
    return 'off by default (:Parrotlet enable)'
  end
end

--- Says why nothing is suggested in a buffer unless it is asked for; nil if something is.
---@param bufnr integer
---@return string?
function M.why_quiet(bufnr)
  local resting = snooze and ('snoozed until %s (:Parrotlet enable)'):format(snoozed_until)
  return M.why_off(bufnr) or resting or nil
end

--- Says whether a buffer is to be completed as you type, and now.
---@param bufnr integer
---@return boolean
function M.asks_by_itself(bufnr)
  return config.options ~= nil and config.options.automatic and M.why_quiet(bufnr) == nil
end

local function announce()
  vim.api.nvim_exec_autocmds('User', { pattern = 'ParrotletSwitch', modeline = false })
end

--- Switches on or off.
---@param is_on boolean
---@param scope? parrotlet.Scope
---@param bufnr? integer Whose language, workspace or file; the current one unless told.
---@return string? complaint
function M.decide(is_on, scope, bufnr)
  scope = scope or 'everywhere'
  bufnr = (bufnr == nil or bufnr == 0) and vim.api.nvim_get_current_buf() or bufnr
  local complaint
  if scope == 'everywhere' then
    vim.g.parrotlet_enabled = is_on
  elseif scope == 'language' then
    languages[vim.bo[bufnr].filetype] = is_on
  elseif scope == 'workspace' then
    complaint = workspace.decide(bufnr, is_on)
  else
    vim.b[bufnr].parrotlet_enabled = is_on
  end
  if is_on then
    M.wake()
  end
  announce()
  return complaint
end

--- Suggests nothing unasked for so many minutes; 0 ends that.
---@param minutes number
function M.snooze(minutes)
  M.wake()
  if minutes > 0 then
    snoozed_until = os.date('%H:%M', os.time() + math.ceil(minutes * 60)) --[[@as string]]
    snooze = vim.defer_fn(function()
      M.wake()
      announce()
    end, math.ceil(minutes * MINUTE_MS))
  end
  announce()
end

--- Ends a snooze.
function M.wake()
  if snooze then
    snooze:stop()
    if not snooze:is_closing() then
      snooze:close()
    end
    snooze = nil
  end
end

return M
