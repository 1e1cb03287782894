--- Stands for blink.cmp where it cannot be had: that part of its interface which Parrotlet reads
--- and its users configure, named as in its `lua/blink/cmp/init.lua` and `completion/list.lua`.
local cmp = {}

package.loaded['blink.cmp.completion.windows.menu'] = {}

local provider
local items, selected = {}, nil

local function emit(name)
  vim.api.nvim_exec_autocmds('User', { pattern = name, modeline = false })
end

function cmp.is_menu_visible()
  return selected ~= nil
end

function cmp.get_selected_item()
  return items[selected]
end

function cmp.show()
  provider:get_completions({}, function(found)
    vim.schedule(function()
      items, selected = found.items, 1
      emit('BlinkCmpMenuOpen')
      emit('BlinkCmpListSelect')
    end)
  end)
end

function cmp.select_next()
  vim.schedule(function()
    selected = selected % #items + 1
    emit('BlinkCmpListSelect')
  end)
end

function cmp.setup(options)
  provider = require(options.sources.providers.test.module).new()
  for key, names in pairs(options.keymap) do
    if key ~= 'preset' then
      vim.keymap.set('i', key, cmp[names[1]])
    end
  end
  vim.api.nvim_create_autocmd('InsertLeave', {
    callback = function()
      selected = nil
      emit('BlinkCmpHide')
    end,
  })
end

return cmp
